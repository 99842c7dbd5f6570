// A vault with something to be verified, looks at it, and ways to harm what a copy holds.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ComponentIntegrity, IntegrityLevel } from '../../src/domain/integrity.ts';
import { lsnFrom } from '../../src/domain/lsn.ts';
import type { LogHeader, Vault, VerifyRequest } from '../../src/vault/index.ts';
import { COMPONENT, inPieces, request, seededBytes, type TestVault, TO, takeSnapshot, testVault } from './vault.ts';

const files = { 'base/1': seededBytes('one', 300_000), 'base/2': seededBytes('two', 300_000), conf: Buffer.from('x') };

/** Paths of objects on a copy. */
export const PACK = /packs\/..\/[0-9a-f]{64}$/;
export const MANIFEST = /snapshots\/\d{8}\./;
export const INDEX = /indexes\/./;
export const DATA_KEY = /generations\/[^/]+\/key$/;

export function verify(
  vault: Vault,
  level: IntegrityLevel,
  options: Partial<VerifyRequest> = {},
): Promise<ComponentIntegrity> {
  return vault.verify({ component: COMPONENT, level, run: 'verify-1', ...options });
}

export async function stateOf(vault: Vault, level: IntegrityLevel, copy = 'local'): Promise<string> {
  const { copies } = await verify(vault, level, { copies: [copy] });
  return copies[0]?.state ?? 'none';
}

/** The first object of a copy whose path matches, and that has at least so many bytes. */
export async function find(test: TestVault, pattern: RegExp, copy = 'local', leastBytes = 0): Promise<string> {
  const names = (await readdir(test.path(copy), { recursive: true })).filter((name) => pattern.test(name));
  for (const name of names.sort()) {
    const place = join(test.path(copy), name);
    if ((await stat(place)).size >= leastBytes) return place;
  }
  return assert.fail(`nothing like ${pattern} on ${copy}`);
}

/** One bit of the file is wrong. */
export async function flip(path: string, at = 50_000): Promise<void> {
  const bytes = await readFile(path);
  const offset = Math.min(at, bytes.length - 1);
  bytes.writeUInt8(bytes.readUInt8(offset) ^ 1, offset);
  await writeFile(path, bytes);
}

/** One snapshot, on every copy. */
export async function oneSnapshot(options: Parameters<typeof testVault>[0] = {}): Promise<TestVault> {
  const copies = options.copies ?? ['local'];
  const test = await testVault({ policy: { copies: copies.length, offsite: 0 }, ...options, copies });
  await takeSnapshot(test.vault, files);
  return test;
}

const SEGMENT_BYTES = 1024 * 1024;
const systemId = '7432198765432109876';

function segment(number: number): { header: LogHeader; bytes: Buffer } {
  const bytes = seededBytes(`segment ${number}`, SEGMENT_BYTES);
  const fromLsn = lsnFrom(BigInt(number * SEGMENT_BYTES));
  const toLsn = lsnFrom(BigInt((number + 1) * SEGMENT_BYTES));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const header = { timeline: 1, segmentSizeBytes: SEGMENT_BYTES, fromLsn, toLsn, sha256, restorePoints: [] };
  return { header, bytes };
}

/** Log of segments 3 to 6 on one copy, and a snapshot that needs the first two. */
export async function withLog(): Promise<TestVault> {
  const test = await testVault();
  const log = test.vault.log(COMPONENT, systemId, 'local');
  for (const number of [3, 4, 5, 6]) await log.putSegment(segment(number).header, segment(number).bytes);
  const writer = await test.vault.writeSnapshot(request(1));
  await writer.addFile({ path: 'PG_VERSION', mode: 0o600, mtimeSeconds: 2 }, inPieces(Buffer.from('17\n')));
  const [startLsn, stopLsn] = [lsnFrom(BigInt(3 * SEGMENT_BYTES + 40)), lsnFrom(BigInt(5 * SEGMENT_BYTES - 1))];
  await writer.commit({ to: TO, state: 'clean', engine: { systemId, timeline: 1, startLsn, stopLsn } });
  return test;
}
