// Files laid over earlier ones: whatever was laid over what, every reader gives back what a model in memory says.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { LaidPart, SnapshotId, TreeEntry, Vault } from '../../../src/vault/index.ts';
import { readTree, rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { assertRestored, filesOf, target } from '../../support/restore-files.ts';
import { seeded } from '../../support/seeded.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { COMPONENT, inPieces, request, seededBytes, TO, testVault } from '../../support/vault.ts';

type Model = Record<string, Buffer>;
type Random = () => number;

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e9));
const PAGE = 8192;
const incremental = { class: 'incremental', longerLived: ['full'] };

async function entriesOf(vault: Vault, id: SnapshotId): Promise<Map<string, TreeEntry>> {
  const reader = await vault.openSnapshot(id);
  const found = new Map<string, TreeEntry>();
  for await (const entry of reader.entries()) found.set(entry.path, entry);
  reader.close();
  return found;
}

async function readAll(vault: Vault, id: SnapshotId): Promise<Model> {
  const reader = await vault.openSnapshot(id);
  const found: Model = {};
  for await (const entry of reader.entries()) {
    const pieces = [];
    for await (const bytes of reader.read(entry)) pieces.push(Buffer.from(bytes));
    found[entry.path] = Buffer.concat(pieces);
  }
  reader.close();
  return found;
}

async function takeWhole(vault: Vault, number: number, model: Model, changes = {}): Promise<SnapshotId> {
  const writer = await vault.writeSnapshot(request(number, changes));
  for (const [name, bytes] of Object.entries(model)) {
    await writer.addFile({ path: name, mode: 0o600, mtimeSeconds: number, chunking: 'pages' }, inPieces(bytes));
  }
  return (await writer.commit({ to: TO, state: 'clean', engine: {} })).id;
}

/** What `parts` make of the parent's bytes. */
function laid(parent: Buffer, parts: readonly LaidPart[]): Buffer {
  const bytesOf = (part: LaidPart) =>
    'bytes' in part ? part.bytes : parent.subarray(part.positionBytes, part.positionBytes + part.lengthBytes);
  return Buffer.concat(parts.map(bytesOf));
}

async function takeLaid(
  vault: Vault,
  number: number,
  parent: SnapshotId,
  overlays: ReadonlyMap<string, readonly LaidPart[]>,
  model: Model,
  changes: object = incremental,
) {
  const entries = await entriesOf(vault, parent);
  const writer = await vault.writeSnapshot(request(number, changes));
  const stored = [];
  for (const [name, parts] of overlays) {
    const below = entries.get(name);
    assert.ok(below, name);
    const entry = { path: name, mode: 0o600, mtimeSeconds: number };
    const file = await writer.addLaidOver(entry, below, parts, model[name]?.length ?? 0);
    assert.ok(file, name);
    stored.push(file);
  }
  const { id, statistics } = await writer.commit({ to: TO, state: 'clean', engine: {} });
  return { id, statistics, stored, entries: await entriesOf(vault, id) };
}

/** Kept stretches, changed ones, and now and then another order, at places that need not be pages. */
function randomParts(random: Random, parent: Buffer, word: string): LaidPart[] {
  const parts: LaidPart[] = [];
  const unit = random() < 0.3 ? 1 + Math.floor(random() * 5000) : PAGE;
  const changed = random() ** 2;
  let position = random() < 0.2 ? Math.floor(random() * parent.length) : 0;
  const end = random() < 0.3 ? Math.floor(random() * parent.length) : parent.length;
  for (let number = 0; position < end; number++) {
    const lengthBytes = Math.min(end - position, unit * (1 + Math.floor(random() * 6)));
    if (random() < changed) parts.push({ bytes: seededBytes(`${word} ${number}`, lengthBytes) });
    else parts.push({ positionBytes: position, lengthBytes });
    position += lengthBytes;
    if (random() < 0.05) position = Math.floor(random() * position);
    if (number > 400) break;
  }
  if (random() < 0.3) parts.push({ bytes: seededBytes(`${word} more`, Math.floor(random() * 200_000)) });
  return parts;
}

describe(`files laid over earlier ones (HOLDFAST_SEED=${seed})`, () => {
  it('are what a model says, several deep, by every reader', async (t) => {
    await using test = await testVault();
    const random = seeded(seed);
    const names = Array.from({ length: 6 }, (_, number) => `base/5/${16384 + number}`);
    let model: Model = Object.fromEntries(
      names.map((name, number) => [
        name,
        seededBytes(`${seed} ${name}`, [0, 5000, 65_536, 400_000, 3_000_000, 9_000_000][number] ?? 0),
      ]),
    );
    let parent = await takeWhole(test.vault, 1, model);
    const models = new Map([[parent, model]]);
    for (let depth = 2; depth <= 6; depth++) {
      const overlays = new Map(
        names.map((name) => [name, randomParts(random, model[name] as Buffer, `${seed} ${depth} ${name}`)]),
      );
      const before = model;
      model = Object.fromEntries(names.map((name) => [name, laid(before[name] as Buffer, overlays.get(name) ?? [])]));
      const taken = await takeLaid(test.vault, depth, parent, overlays, model);
      parent = taken.id;
      models.set(parent, model);
      const given = taken.stored.reduce((sum, { givenBytes }) => sum + givenBytes, 0);
      const treeBytes = 400_000;
      assert.ok(taken.statistics.newBytes <= given + treeBytes, `${taken.statistics.newBytes} of ${given}`);
    }
    const directory = await temporaryDirectory(t);
    const script = await takeRescue(test.path('local'), path.join(directory, 'bare'));
    const [, pinned] = await runtimes();
    const vault = ['--vault', test.path('local'), '--key-file', test.keyFile];
    for (const [id, expected] of models) {
      assert.deepEqual(sizesOf(await readAll(test.vault, id)), sizesOf(expected));
      for (const [name, bytes] of Object.entries(await readAll(test.vault, id)))
        assert.ok(bytes.equals(expected[name] as Buffer), `${id} ${name}`);
      const reader = await test.vault.openSnapshot(id);
      const to = await target();
      await reader.restoreFiles(filesOf(reader), { directory: to });
      reader.close();
      await assertRestored(to, expected);
      await test.vault.verifyCopy(COMPONENT, id, 'local');
      const rescued = path.join(directory, id);
      await mkdir(directory, { recursive: true });
      const done = await rescue(script, pinned!, [...vault, 'restore', id, '--to', rescued]);
      const found = await readTree(rescued);
      for (const [name, bytes] of Object.entries(expected)) {
        assert.ok(Buffer.from(found[name]?.content ?? '', 'base64').equals(bytes), `${id} ${name}: ${done.said}`);
      }
    }
    const checked = await rescue(script, pinned!, [...vault, 'check']);
    assert.match(checked.said, / 0 damaged, /, checked.said);
  });
});

function sizesOf(model: Model): Record<string, number> {
  return Object.fromEntries(Object.entries(model).map(([name, { length }]) => [name, length]));
}
