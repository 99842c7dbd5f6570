// Bytes changed at random, sealed ones and those behind the seal: rescue.mjs answers with a sentence, never with a stack, a hang or all memory.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { pathToFileURL } from 'node:url';
import { lsnFrom } from '../../../src/domain/lsn.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import { seeded } from '../../support/seeded.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { seededBytes, takeSnapshot, testVault } from '../../support/vault.ts';

const script = path.resolve(import.meta.dirname, '../../../src/rescue/rescue.mjs');
// biome-ignore lint/suspicious/noExplicitAny: plain JavaScript that must stay without the project's types
const reader: any = await import(pathToFileURL(script).href);
const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e9));
const rounds = process.env.HOLDFAST_SWEEP === 'full' ? 400 : 12;
const SYSTEM = '7432198765432109876';
const ID = '20261123T061407Z-00000001';

/** A vault with an object of every kind. */
async function whole(t: TestContext) {
  const test = await testVault();
  t.after(() => test[Symbol.asyncDispose]());
  const { vault } = test;
  await takeSnapshot(vault, { 'base/1': seededBytes('one', 90_000), text: Buffer.from('text '.repeat(9000)) }, 1, {
    kind: 'files',
  });
  const log = vault.log('database/main', SYSTEM, 'local');
  const bytes = Buffer.alloc(1024 * 1024, 'log');
  const header = (from: number, piece: Buffer) => ({
    ...{ timeline: 1, segmentSizeBytes: bytes.length, restorePoints: [] },
    ...{ fromLsn: lsnFrom(BigInt(from)), toLsn: lsnFrom(BigInt(from + piece.length)) },
    sha256: createHash('sha256').update(piece).digest('hex'),
  });
  await log.putSegment(header(bytes.length, bytes), bytes);
  await log.putExtent(header(2 * bytes.length, bytes.subarray(0, 5000)), bytes.subarray(0, 5000));
  await log.putMark(1, { time: '2026-11-23T06:15:00.000000Z' as Moment, lsn: lsnFrom(2_100_000n) });
  await log.putHistory(2, '1\t0/180000\tno recovery target specified\n');
  await vault.putRecord('backup-1', 'result', { state: 'completed' });
  await (await vault.acquireLease('database/main', 'test', 60_000)).release();
  return test;
}

function mutate(bytes: Buffer, random: () => number): Buffer {
  const at = Math.floor(random() * bytes.length);
  const choice = Math.floor(random() * 5);
  if (choice === 0) return bytes.subarray(0, at);
  if (choice === 1) return Buffer.concat([bytes.subarray(0, at), seededBytes(`${at}`, 40), bytes.subarray(at)]);
  const changed = Buffer.from(bytes);
  if (choice === 2) changed.fill(0xff, at, Math.min(at + 8, bytes.length));
  else if (choice === 3) changed.fill(0, at, Math.min(at + 8, bytes.length));
  else changed.writeUInt8(changed.readUInt8(at) ^ (1 << Math.floor(random() * 8)), at);
  return changed;
}

async function run(...args: string[]): Promise<{ status: number; lines: string[] }> {
  const lines: string[] = [];
  const keep = (line: string) => void lines.push(line);
  return { status: await reader.main(args, keep, keep), lines };
}

describe(`rescue.mjs on bytes changed at random (HOLDFAST_SEED=${seed})`, () => {
  it('answers each change of a stored object with a sentence, and never calls it whole', async (t) => {
    const test = await whole(t);
    const directory = await temporaryDirectory(t);
    const good = test.path('local');
    const key = ['--vault', path.join(directory, 'vault'), '--key-file', test.keyFile];
    const names = [];
    for (const name of await readdir(good, { recursive: true })) {
      const isObject = !['FORMAT.md', 'rescue.mjs'].includes(name) && (await stat(path.join(good, name))).isFile();
      if (isObject) names.push(name);
    }
    assert.ok(names.length >= 11, names.join(' '));
    await cp(good, path.join(directory, 'vault'), { recursive: true });
    assert.equal((await run(...key, 'check')).status, 0);
    const random = seeded(seed);
    for (const name of names) {
      const file = path.join(directory, 'vault', name);
      const bytes = await readFile(file);
      for (let round = 0; round < rounds; round++) {
        const changed = mutate(bytes, random);
        if (changed.equals(bytes) || isSameJson(name, changed, bytes)) continue;
        await writeFile(file, changed);
        const checked = await run(...key, 'check');
        const told = `${name}, round ${round}: ${checked.lines.join('\n')}`;
        assert.ok([1, 4].includes(checked.status), told);
        assert.doesNotMatch(told, /should not happen|\n\s+at /);
        const to = path.join(directory, 'to');
        for (const command of [
          ['list'],
          ['restore', ID, '--to', to],
          ['log', 'database/main', '--wal', path.join(directory, 'wal')],
        ]) {
          const { status, lines } = await run(...key, ...command);
          assert.ok([0, 1, 3, 4].includes(status), `${command[0]} with ${told}: ${status} ${lines.join('\n')}`);
        }
        for (const made of ['to', 'wal']) await rm(path.join(directory, made), { recursive: true, force: true });
      }
      await writeFile(file, bytes);
    }
    assert.equal((await run(...key, 'check')).status, 0);
  });

  it('answers each change behind the seal with a sentence', async () => {
    const random = seeded(seed + 1);
    const hash = 'ab'.repeat(32);
    const id = Buffer.alloc(32, 7);
    const index = Buffer.alloc(16 + 2 * 36);
    index.writeUInt32BE(40, 0);
    index.writeUInt32BE(50, 4);
    index.writeUInt32BE(100, 8);
    index.writeUIntBE(2, 13, 3);
    for (const at of [16, 52]) {
      id.copy(index, at);
      index.writeUInt32BE(50, at + 32);
    }
    const listed = Buffer.concat([Buffer.alloc(44), index]);
    listed.writeUInt32BE(index.length, 40);
    const nothing = () => 0;
    const manifest = 'database/main/snapshots/00000001.20261123T061407Z-00000001';
    const segment = 'database/main/log/7/00000001/000000010000000000000001';
    const slot = { slot: 'safe', kind: 'passphrase', created: 'x', salt: hash, wrapped: 'ab'.repeat(48) };
    const json = (value: unknown) => Buffer.from(JSON.stringify(value));
    const header = {
      id: manifest.slice(-25),
      component: 'database/main',
      sequence: 1,
      previous: null,
      kind: 'files',
      class: 'full',
    };
    const rest = { generation: 'g', from: 'a', to: 'b', state: 'clean', host: 'h', statistics: {}, engine: {} };
    const decoders: Record<string, [Buffer, (bytes: Buffer) => unknown]> = {
      'a pack index': [index, (bytes) => reader.parsePackIndex(bytes, 1, 'it', nothing, nothing)],
      'an index object': [listed, (bytes) => reader.parseIndexObject(bytes, 'it', nothing)],
      'a descriptor': [
        json({ format: 1, vault: '11111111-1111-4111-8111-111111111111', estate: 'a', created: 'b', mac: hash }),
        (bytes) => reader.parseDescriptor(bytes),
      ],
      'a key slot': [
        json({ ...slot, scrypt: { N: 32768, r: 8, p: 1, salt: hash } }),
        (bytes) => reader.parseSlot('keys/safe.12345678.json', bytes),
      ],
      'a preamble': [
        Buffer.concat([Buffer.from('HFSO\x01\x03'), Buffer.alloc(58)]),
        (bytes) => reader.parsePreamble(bytes, 'it'),
      ],
      'a manifest header': [
        json({ ...header, ...rest }),
        parsed((value) => reader.parseManifestHeader(manifest, value)),
      ],
      'a manifest body': [
        json({
          parts: [{ generation: 'g', packs: [[hash, 5]], indexes: ['i'] }],
          tree: [hash],
          treeBytes: 5,
          treeSha256: hash,
        }),
        (bytes) => reader.parseManifestBody('it', bytes),
      ],
      'a line of the tree': [
        json({ path: 'a/b', type: 'file', mode: 1, mtimeSeconds: 2, sizeBytes: 3, sha256: hash, chunks: [hash] }),
        (bytes) => reader.parseEntry(bytes),
      ],
      'a line of the tree with pieces': [
        json({
          ...{ path: 'a/b', type: 'file', mode: 1, mtimeSeconds: 2, sizeBytes: 3, chunks: [hash, hash] },
          pieces: [1, 5, 2, 0, 0, 1],
        }),
        (bytes) => reader.parseEntry(bytes),
      ],
      'a log header': [
        json({ timeline: 1, segmentSizeBytes: 1048576, fromLsn: '0/100000', toLsn: '0/200000', sha256: hash }),
        parsed((value) => reader.parseLogHeader(segment, value)),
      ],
      'a history': [Buffer.from('1\t0/180000\tno target\n'), (bytes) => reader.parseHistory(bytes.toString())],
      'the details of a cluster': [
        json({ id: 'x', to: 'y', engine: { systemId: '7', timeline: 1, startLsn: '0/1', stopLsn: '0/2' } }),
        parsed((value) => reader.clusterOf({ engine: {}, ...value })),
      ],
    };
    for (const [what, [bytes, decode]] of Object.entries(decoders)) {
      decode(bytes); // the unchanged one is accepted
      for (let round = 0; round < 50 * rounds; round++) {
        try {
          decode(mutate(bytes, random));
        } catch (error) {
          assert.ok(error instanceof reader.Trouble, `${what}, round ${round}: ${(error as Error).stack}`);
        }
      }
    }
  });

  it('does not wait for what is no regular file, and takes no object of unbounded size into memory', async (t) => {
    const test = await whole(t);
    const key = ['--vault', test.path('local'), '--key-file', test.keyFile];
    const [name] = (await readdir(test.path('local'), { recursive: true })).filter((each) =>
      /snapshots\/\d/.test(each),
    );
    const manifest = path.join(test.path('local'), name as string);
    await rm(manifest);
    await mkdir(manifest);
    assert.equal((await run(...key, 'restore', ID, '--to', path.join(test.directory, 'to'))).status, 1);
    await writeFile(path.join(test.path('local'), 'holdfast.json'), Buffer.alloc(1 << 20, ' '));
    const { status, lines } = await run(...key, 'list');
    assert.equal(status, 1);
    assert.match(lines.join('\n'), /larger than any such object/);
  });
});

/** White space around clear JSON says nothing. */
function isSameJson(name: string, changed: Buffer, bytes: Buffer): boolean {
  return name.endsWith('.json') && changed.toString('latin1').trim() === bytes.toString('latin1').trim();
}

function parsed(decode: (value: Record<string, unknown>) => unknown): (bytes: Buffer) => unknown {
  return (bytes) => {
    let value: unknown;
    try {
      value = JSON.parse(bytes.toString());
    } catch {
      return undefined;
    }
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? decode(value as Record<string, unknown>)
      : undefined;
  };
}
