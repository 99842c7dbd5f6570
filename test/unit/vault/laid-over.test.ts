// Files laid over earlier ones: whatever was laid over what, every reader gives back what a model in memory says.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { describe, it } from 'node:test';
import type { LaidPart, SnapshotId, Vault } from '../../../src/vault/index.ts';
import {
  entriesOf,
  incremental,
  laidOver,
  type Overlays,
  PAGE,
  somePages,
  takeLaid,
  takeWhole,
} from '../../support/laid-over.ts';
import { readTree, rescue, runtimes, takeRescue } from '../../support/rescue.ts';
import { assertRestored, filesOf, target } from '../../support/restore-files.ts';
import { seeded } from '../../support/seeded.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import {
  COMPONENT,
  type Files,
  inPieces,
  readFiles,
  request,
  seededBytes,
  TO,
  testVault,
} from '../../support/vault.ts';

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 1e9));

/** Kept stretches, changed ones, and now and then another order, at places that need not be pages. */
function randomParts(random: () => number, parent: Buffer, word: string): LaidPart[] {
  const parts: LaidPart[] = [];
  const unit = random() < 0.3 ? 1 + Math.floor(random() * 5000) : PAGE;
  const changed = random() ** 2;
  let position = random() < 0.2 ? Math.floor(random() * parent.length) : 0;
  const end = random() < 0.3 ? Math.floor(random() * parent.length) : parent.length;
  for (let number = 0; position < end && number < 500; number++) {
    const lengthBytes = Math.min(end - position, unit * (1 + Math.floor(random() * 6)));
    if (random() < changed) parts.push({ bytes: seededBytes(`${word} ${number}`, lengthBytes) });
    else parts.push({ positionBytes: position, lengthBytes });
    position += lengthBytes;
    if (random() < 0.05) position = Math.floor(random() * position);
  }
  if (random() < 0.3) parts.push({ bytes: seededBytes(`${word} more`, Math.floor(random() * 200_000)) });
  return parts;
}

async function assertEveryReader(
  vault: Vault,
  id: SnapshotId,
  expected: Files,
  rescued: (id: string) => Promise<string>,
) {
  const reader = await vault.openSnapshot(id);
  const found = await readFiles(reader);
  assert.deepEqual(Object.keys(found), Object.keys(expected));
  for (const [name, bytes] of Object.entries(found)) assert.ok(bytes.equals(expected[name] as Buffer), `${id} ${name}`);
  const to = await target();
  await reader.restoreFiles(filesOf(reader), { directory: to });
  reader.close();
  await assertRestored(to, expected);
  await vault.verifyCopy(COMPONENT, id, 'local');
  const tree = await readTree(await rescued(id));
  for (const [name, bytes] of Object.entries(expected)) {
    assert.ok(Buffer.from(tree[name]?.content ?? '', 'base64').equals(bytes), `${id} ${name} by rescue.mjs`);
  }
}

describe(`files laid over earlier ones (HOLDFAST_SEED=${seed})`, () => {
  it('are what a model says, several deep, by every reader', async (t) => {
    await using test = await testVault();
    const random = seeded(seed);
    const sizes = [0, 5000, 65_536, 400_000, 3_000_000, 9_000_000];
    let model: Files = Object.fromEntries(
      sizes.map((size, number) => [`base/5/${number}`, seededBytes(`${seed} ${number}`, size)]),
    );
    let { id } = await takeWhole(test.vault, 1, model);
    const models = new Map([[id, model]]);
    for (let depth = 2; depth <= 6; depth++) {
      const overlays: Overlays = Object.fromEntries(
        Object.entries(model).map(([name, bytes]) => [name, randomParts(random, bytes, `${seed} ${depth} ${name}`)]),
      );
      model = laidOver(model, overlays);
      const { snapshot, stored } = await takeLaid(test.vault, depth, id, overlays);
      id = snapshot.id;
      models.set(id, model);
      const given = stored.reduce((sum, { givenBytes }) => sum + givenBytes, 0);
      const { newBytes } = snapshot.statistics;
      assert.ok(newBytes <= given + 400_000, `${newBytes} bytes were new, ${given} were given and a tree`);
    }
    const directory = await temporaryDirectory(t);
    const script = await takeRescue(test.path('local'), path.join(directory, 'bare'));
    const [, pinned] = await runtimes();
    const ask = (...args: string[]) =>
      rescue(script, pinned!, ['--vault', test.path('local'), '--key-file', test.keyFile, ...args]);
    for (const [each, expected] of models) {
      await assertEveryReader(test.vault, each, expected, async (id) => {
        const to = path.join(directory, id);
        await ask('restore', id, '--to', to); // complains that it is no cluster, and writes every file
        return to;
      });
    }
    const checked = await ask('check');
    assert.match(checked.said, / 0 damaged, /, checked.said);
  });

  it('refer to parts of chunks, have one chunk for scattered pages, and no hash that nobody computed', async () => {
    await using test = await testVault();
    const file = seededBytes('relation', 40 * PAGE);
    const { id } = await takeWhole(test.vault, 1, { 'base/1': file });
    const overlays = { 'base/1': somePages(file, 'new', 8, 3) };
    const { snapshot, stored } = await takeLaid(test.vault, 2, id, overlays);
    const entry = (await entriesOf(test.vault, snapshot.id)).get('base/1');
    assert.equal(entry?.sha256, undefined);
    assert.equal(entry?.chunks?.length, 6); // five of the parent, one with five pages of five places
    assert.deepEqual(entry?.pieces?.slice(0, 9), [0, 0, 3 * PAGE, 5, 0, PAGE, 0, 4 * PAGE, 4 * PAGE]);
    assert.deepEqual(stored, [
      { path: 'base/1', sizeBytes: file.length, givenBytes: 5 * PAGE, chunkBytes: file.length + 5 * PAGE },
    ]);
  });

  it('name no chunk of which nothing is left, and are composed with a parent that has pieces itself', async () => {
    await using test = await testVault();
    const file = seededBytes('relation', 16 * PAGE);
    const first = await takeWhole(test.vault, 1, { 'base/1': file });
    const one = { 'base/1': somePages(file, 'one', 8, 3) };
    const second = await takeLaid(test.vault, 2, first.id, one);
    // The whole first chunk goes, and with it one of the two pages that the second capture brought.
    const two = {
      'base/1': [{ bytes: seededBytes('two', 8 * PAGE) }, { positionBytes: 8 * PAGE, lengthBytes: 8 * PAGE }],
    };
    const third = await takeLaid(test.vault, 3, second.snapshot.id, two);
    const below = (await entriesOf(test.vault, second.snapshot.id)).get('base/1');
    const entry = (await entriesOf(test.vault, third.snapshot.id)).get('base/1');
    assert.deepEqual(entry?.chunks?.slice(0, 2), below?.chunks?.slice(1));
    assert.deepEqual(entry?.pieces, [
      ...[2, 0, 8 * PAGE],
      ...[0, 0, 3 * PAGE],
      ...[1, PAGE, PAGE],
      ...[0, 4 * PAGE, 4 * PAGE],
    ]);
  });

  it('have no pieces when they are whole chunks one after another, and the hash where all of it is known', async () => {
    await using test = await testVault();
    const file = seededBytes('relation', 24 * PAGE);
    const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    const files = { 'base/1': file, 'base/2': file, 'base/3': file, 'base/4': file };
    const { id } = await takeWhole(test.vault, 1, files);
    const more = seededBytes('more', 3 * PAGE);
    const overlays: Overlays = {
      'base/1': [{ positionBytes: 0, lengthBytes: file.length }],
      'base/2': [{ positionBytes: 0, lengthBytes: 16 * PAGE }],
      'base/3': [{ positionBytes: 0, lengthBytes: file.length }, { bytes: more }],
      'base/4': [{ bytes: more }],
    };
    const { snapshot } = await takeLaid(test.vault, 2, id, overlays);
    const entries = [...(await entriesOf(test.vault, snapshot.id)).values()];
    assert.deepEqual(
      entries.map(({ sha256, chunks, pieces }) => [sha256, chunks?.length, pieces]),
      [
        [hash(file), 3, undefined],
        [undefined, 2, undefined],
        [undefined, 4, undefined],
        [hash(more), 1, undefined],
      ],
    );
    const to = await target();
    const reader = await test.vault.openSnapshot(snapshot.id);
    await reader.restoreFiles(filesOf(reader), { directory: to });
    await assertRestored(to, laidOver(files, overlays));
  });

  it('are not there when the parent lies in a generation that is over, and the rest of the snapshot is', async () => {
    await using test = await testVault();
    const file = seededBytes('relation', 24 * PAGE);
    const { id } = await takeWhole(test.vault, 1, { 'base/1': file });
    const below = (await entriesOf(test.vault, id)).get('base/1');
    assert.ok(below);
    // Nothing says that full ones are kept longer: their chunks are not to be referred to.
    const writer = await test.vault.writeSnapshot(request(2, { ...incremental, longerLived: [] }));
    let taken = 0;
    const parts = function* () {
      for (const part of somePages(file, 'new', 8)) {
        taken += 1;
        yield part;
      }
    };
    const entry = { path: 'base/1', mode: 0o600, mtimeSeconds: 2 };
    assert.equal(await writer.addLaidOver(entry, below, parts(), file.length), undefined);
    assert.equal(taken, 0);
    await writer.addFile({ path: 'base/2', mode: 0o600, mtimeSeconds: 2 }, inPieces(file));
    const taking = await writer.commit({ to: TO, state: 'clean', engine: {} });
    assert.deepEqual([...(await entriesOf(test.vault, taking.id)).keys()], ['base/2']);
  });

  it('are refused when their parts are not as long as they are to be, or lie outside of the parent', async () => {
    await using test = await testVault();
    const file = seededBytes('relation', 3 * PAGE);
    const { id } = await takeWhole(test.vault, 1, { 'base/1': file });
    const below = (await entriesOf(test.vault, id)).get('base/1');
    assert.ok(below);
    const entry = { path: 'base/1', mode: 0o600, mtimeSeconds: 2 };
    for (const [parts, sizeBytes] of [
      [[{ positionBytes: 0, lengthBytes: PAGE }], 2 * PAGE],
      [[{ positionBytes: PAGE, lengthBytes: 3 * PAGE }], 3 * PAGE],
      [[{ positionBytes: -PAGE, lengthBytes: PAGE }], PAGE],
      [[{ positionBytes: 0.5, lengthBytes: PAGE }], PAGE],
    ] as const) {
      const writer = await test.vault.writeSnapshot(request(2, incremental));
      await assert.rejects(writer.addLaidOver(entry, below, parts, sizeBytes), { code: 'INTERNAL' });
      await assert.rejects(writer.commit({ to: TO, state: 'clean', engine: {} }), { code: 'INTERNAL' });
      await writer.abandon();
    }
  });
});
