// The manifest of a snapshot that was laid over another: every file as the snapshot has it, under a checksum that holds.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Lsn } from '../../../../src/domain/lsn.ts';
import type { WholeFile } from '../../../../src/postgres/backup/overlay.ts';
import { checkManifestIdentity } from '../../../../src/postgres/backup/server-manifest.ts';
import { wholeManifest } from '../../../../src/postgres/backup/whole-manifest.ts';

const SYSTEM = '7436752340762514364';
const odd = Buffer.from('base/5/INCREMENTAL.ä').toString('hex');
const sent = Buffer.from(`{ "PostgreSQL-Backup-Manifest-Version": 2,
"System-Identifier": ${SYSTEM},
"Files": [
{ "Path": "backup_label", "Size": 226, "Last-Modified": "2026-11-23 06:14:07 GMT", "Checksum-Algorithm": "SHA256", "Checksum": "aa" },
{ "Path": "base/5/INCREMENTAL.1259", "Size": 12, "Last-Modified": "2026-11-23 06:14:07 GMT", "Checksum-Algorithm": "SHA256", "Checksum": "bb" },
{ "Encoded-Path": "${odd}", "Size": 12, "Last-Modified": "2026-11-23 06:14:07 GMT", "Checksum-Algorithm": "SHA256", "Checksum": "cc" },
{ "Path": "PG_VERSION", "Size": 3, "Last-Modified": "2026-11-23 06:14:07 GMT", "Checksum-Algorithm": "SHA256", "Checksum": "dd" }
],
"WAL-Ranges": [
{ "Timeline": 1, "Start-LSN": "0/2000028", "End-LSN": "0/2000120" }
],
"Manifest-Checksum": "00"}
`);

const files = new Map<string, WholeFile>([
  ['backup_label', { path: 'backup_label', sizeBytes: 180, sha256: 'ee' }],
  ['base/5/INCREMENTAL.1259', { path: 'base/5/1259', sizeBytes: 114_688 }],
  ['base/5/INCREMENTAL.ä', { path: 'base/5/ä', sizeBytes: 8192, sha256: 'ff' }],
]);

test('each file is as the snapshot has it, and what came whole stays as it was', () => {
  const { Files } = JSON.parse(wholeManifest(sent, files).toString('utf8'));
  const modified = { 'Last-Modified': '2026-11-23 06:14:07 GMT' };
  const sum = (Checksum: string) => ({ 'Checksum-Algorithm': 'SHA256', Checksum });
  assert.deepEqual(Files, [
    { Path: 'backup_label', Size: 180, ...modified, ...sum('ee') },
    { Path: 'base/5/1259', Size: 114_688, ...modified },
    { 'Encoded-Path': Buffer.from('base/5/ä').toString('hex'), Size: 8192, ...modified, ...sum('ff') },
    { Path: 'PG_VERSION', Size: 3, ...modified, ...sum('dd') },
  ]);
});

test('its checksum is that of all lines before the last, and its system the same 64 bits', () => {
  const text = wholeManifest(sent, files).toString('utf8');
  const last = text.trimEnd().lastIndexOf('\n') + 1;
  const checksum = createHash('sha256').update(text.slice(0, last)).digest('hex');
  assert.equal(text.slice(last), `"Manifest-Checksum": "${checksum}"}\n`);
  assert.match(text, new RegExp(`^"System-Identifier": ${SYSTEM},$`, 'm'));
  const [startLsn, stopLsn] = ['0/2000028', '0/2000120'] as Lsn[];
  const ranges = JSON.parse(text)['WAL-Ranges'];
  const walRanges = [{ timeline: ranges[0].Timeline, startLsn: ranges[0]['Start-LSN'], endLsn: ranges[0]['End-LSN'] }];
  const expected = { systemId: SYSTEM, timeline: 1, startLsn: startLsn as Lsn, stopLsn: stopLsn as Lsn };
  checkManifestIdentity({ files: new Map(), walRanges, systemId: SYSTEM }, expected);
});
