// The server's own list of what it sent: read, proved by its checksum, compared with what arrived (PostgreSQL manual, "Backup Manifest Format").

import { createHash } from 'node:crypto';
import { compareLsn, type Lsn, parseLsn } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';

export interface ManifestFile {
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface WalRange {
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly endLsn: Lsn;
}

export interface ServerManifest {
  readonly files: ReadonlyMap<string, ManifestFile>;
  readonly walRanges: readonly WalRange[];
  /** From PostgreSQL 17 on. */
  readonly systemId: string | undefined;
}

/** Throws `BACKUP_INVALID` when the text does not match its own checksum or lacks what it must have. */
export function parseServerManifest(text: Buffer): ServerManifest {
  const body = text.toString('utf8');
  const lastLine = body.trimEnd().lastIndexOf('\n') + 1;
  const stated = /^"Manifest-Checksum": "([0-9a-f]{64})"\}\s*$/.exec(body.slice(lastLine))?.[1];
  const actual = createHash('sha256').update(body.slice(0, lastLine)).digest('hex');
  if (stated !== actual) fail('BACKUP_INVALID', 'the manifest of the server does not match its own checksum');
  const json = JSON.parse(body) as Record<string, unknown>;
  const version = json['PostgreSQL-Backup-Manifest-Version'];
  if (version !== 1 && version !== 2)
    fail('BACKUP_INVALID', `the manifest of the server has version ${String(version)}`);
  return {
    files: readFiles(json.Files),
    walRanges: readRanges(json['WAL-Ranges']),
    // A 64-bit number, which JSON.parse would round.
    systemId: /"System-Identifier": (\d+)/.exec(body)?.[1],
  };
}

function readFiles(list: unknown): Map<string, ManifestFile> {
  const files = new Map<string, ManifestFile>();
  for (const file of list as Record<string, unknown>[]) {
    const encoded = file['Encoded-Path'];
    const path = typeof encoded === 'string' ? Buffer.from(encoded, 'hex').toString('utf8') : String(file.Path);
    if (file['Checksum-Algorithm'] !== 'SHA256' || typeof file.Size !== 'number' || files.has(path)) {
      fail('BACKUP_INVALID', `the manifest of the server lists '${path}' in a way that proves nothing`);
    }
    files.set(path, { sizeBytes: file.Size, sha256: String(file.Checksum) });
  }
  return files;
}

function readRanges(list: unknown): WalRange[] {
  return (list as Record<string, unknown>[]).map((range) => ({
    timeline: Number(range.Timeline),
    startLsn: parseLsn(String(range['Start-LSN'])),
    endLsn: parseLsn(String(range['End-LSN'])),
  }));
}

/** Throws `BACKUP_INVALID` with the first differences, unless exactly the listed files arrived, each with its size and SHA-256. */
export function compareWithManifest(manifest: ServerManifest, arrived: ReadonlyMap<string, ManifestFile>): void {
  const differences: string[] = [];
  for (const [path, file] of manifest.files) {
    const seen = arrived.get(path);
    if (seen === undefined) differences.push(`'${path}' is missing`);
    else if (seen.sizeBytes !== file.sizeBytes)
      differences.push(`'${path}' has ${seen.sizeBytes} bytes, not ${file.sizeBytes}`);
    else if (seen.sha256 !== file.sha256) differences.push(`'${path}' has another SHA-256`);
  }
  for (const path of arrived.keys()) if (!manifest.files.has(path)) differences.push(`'${path}' is not listed`);
  if (manifest.files.size === 0) differences.push('nothing is listed');
  if (differences.length > 0) {
    fail('BACKUP_INVALID', `the files differ from the server's manifest: ${differences.slice(0, 3).join(', ')}`, {
      details: { differences: differences.slice(0, 20), count: differences.length },
    });
  }
}

/** Throws `BACKUP_INVALID` unless the manifest is of this cluster and names the log from `startLsn` to `stopLsn`. */
export function checkManifestIdentity(
  manifest: ServerManifest,
  expected: { readonly systemId: string; readonly timeline: number; readonly startLsn: Lsn; readonly stopLsn: Lsn },
): void {
  if (manifest.systemId !== undefined && manifest.systemId !== expected.systemId) {
    fail('BACKUP_INVALID', `the manifest is of system ${manifest.systemId}, not ${expected.systemId}`);
  }
  const range = manifest.walRanges.find(({ timeline }) => timeline === expected.timeline);
  const fits =
    range && compareLsn(range.startLsn, expected.startLsn) === 0 && compareLsn(range.endLsn, expected.stopLsn) === 0;
  if (!fits) {
    fail('BACKUP_INVALID', `the manifest does not name the log from ${expected.startLsn} to ${expected.stopLsn}`);
  }
}
