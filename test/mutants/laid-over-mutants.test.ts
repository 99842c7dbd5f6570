// Mutants of files made of parts of chunks: pieces that are none, and damage of what they are parts of; no reader gives such a file out.

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { SnapshotId, TreeEntry } from '../../src/vault/index.ts';
import { entriesOf, laidOver, PAGE, somePages, takeLaid, takeWhole } from '../support/laid-over.ts';
import { rescue, runtimes, takeRescue } from '../support/rescue.ts';
import { contentOf, filesOf, target } from '../support/restore-files.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { readFiles, request, seededBytes, type TestVault, TO, testVault } from '../support/vault.ts';
import { find, flip, PACK, stateOf } from '../support/verify.ts';

const NAME = 'base/1';
const file = seededBytes('relation', 40 * PAGE);
const overlays = { [NAME]: somePages(file, 'new', 8, 3) };
const damaged = { code: 'OBJECT_DAMAGED' };

/** A snapshot whose only file is that entry, written as if it had been read so: what is no entry a writer would refuse. */
async function takeForged(test: TestVault, number: number, entry: TreeEntry): Promise<SnapshotId> {
  const [newest] = await test.vault.listSnapshots();
  const [read] = (await entriesOf(test.vault, newest?.id as SnapshotId)).values();
  const [line] = Object.getOwnPropertySymbols(read as TreeEntry);
  const forged = Object.defineProperty({ ...entry }, line as symbol, { value: JSON.stringify(entry) });
  const writer = await test.vault.writeSnapshot(request(number));
  assert.ok(await writer.addUnchanged(forged));
  return (await writer.commit({ to: TO, state: 'clean', engine: {} })).id;
}

async function laid(): Promise<{ test: TestVault; entry: TreeEntry & { pieces: readonly number[] }; id: SnapshotId }> {
  const test = await testVault();
  const { id } = await takeWhole(test.vault, 1, { [NAME]: file });
  const { snapshot } = await takeLaid(test.vault, 2, id, overlays, {});
  const entry = (await entriesOf(test.vault, snapshot.id)).get(NAME);
  assert.ok(entry?.pieces);
  return { test, entry: { ...entry, pieces: entry.pieces }, id: snapshot.id };
}

async function assertReadersRefuse(test: TestVault, id: SnapshotId): Promise<void> {
  const reader = await test.vault.openSnapshot(id);
  await assert.rejects(readFiles(reader), damaged);
  const to = await target();
  await assert.rejects(reader.restoreFiles(filesOf(reader), { directory: to }), damaged);
  reader.close();
  assert.deepEqual(Object.keys(await contentOf(to)), []);
}

async function assertRefused(t: TestContext, test: TestVault, id: SnapshotId): Promise<void> {
  await assertReadersRefuse(test, id);
  assert.equal(await stateOf(test.vault, 'decrypted'), 'damaged');
  const directory = await temporaryDirectory(t);
  const script = await takeRescue(test.path('local'), path.join(directory, 'bare'));
  const [, pinned] = await runtimes();
  const vault = ['--vault', test.path('local'), '--key-file', test.keyFile];
  assert.equal((await rescue(script, pinned!, [...vault, 'check'])).status, 4);
  const restored = path.join(directory, 'restored');
  assert.equal((await rescue(script, pinned!, [...vault, 'restore', id, '--to', restored])).status, 4);
  const left = (await readdir(restored, { recursive: true })).filter((name) => name.startsWith(`${NAME}`));
  assert.ok(!left.includes(NAME), left.join(' '));
}

describe('mutants of files made of parts of chunks', () => {
  const changes: Record<string, (pieces: readonly number[]) => number[]> = {
    'a chunk that the entry does not name': ([, ...rest]) => [6, ...rest],
    'a part that reaches out of its chunk': (pieces) => pieces.with(1, 64 * 1024 - PAGE),
    'a part behind the end of its chunk': (pieces) => pieces.with(1, 1 << 30),
    'a part before the beginning of its chunk': (pieces) => pieces.with(1, -1),
    'a piece of no length': (pieces) => [...pieces, 0, 0, 0],
    'a piece that is not there': (pieces) => pieces.slice(3),
    'a piece too much': (pieces) => [...pieces, 0, 0, PAGE],
    'half a piece': (pieces) => pieces.slice(0, -1),
    'numbers that are none': (pieces) => pieces.with(2, (pieces[2] ?? 0) + 0.5).with(5, (pieces[5] ?? 0) - 0.5),
  };
  for (const [what, change] of Object.entries(changes)) {
    it(`are refused with ${what}`, async (t) => {
      const { test, entry } = await laid();
      await using _test = test;
      await assertRefused(t, test, await takeForged(test, 3, { ...entry, pieces: change(entry.pieces) }));
    });
  }

  it('are refused when they have a hash all the same, and it is another', async () => {
    const { test, entry } = await laid();
    await using _test = test;
    await assertReadersRefuse(test, await takeForged(test, 3, { ...entry, sha256: 'ab'.repeat(32) }));
  });

  it('would be seen by a comparison with the model when a part is taken at another offset', async () => {
    const { test, entry, id } = await laid();
    await using _test = test;
    const expected = laidOver({ [NAME]: file }, overlays);
    const contents = async (each: SnapshotId) => readFiles(await test.vault.openSnapshot(each));
    assert.ok((await contents(id))[NAME]?.equals(expected[NAME] as Buffer));
    for (const [at, offset] of [
      [4, PAGE],
      [7, 3 * PAGE],
    ] as const) {
      const other = await takeForged(test, 10 + at, { ...entry, pieces: entry.pieces.with(at, offset) });
      assert.ok(!(await contents(other))[NAME]?.equals(expected[NAME] as Buffer));
      const to = await target();
      const reader = await test.vault.openSnapshot(other);
      await reader.restoreFiles(filesOf(reader), { directory: to });
      reader.close();
      assert.ok(!(await contentOf(to))[NAME]?.equals(expected[NAME] as Buffer));
    }
  });

  it('are refused with one flipped bit in a part of a chunk that is not in them', async (t) => {
    const { test, entry } = await laid();
    await using _test = test;
    const [chunk = ''] = entry.chunks ?? [];
    const id = await takeForged(test, 3, {
      ...entry,
      sizeBytes: PAGE,
      chunks: [chunk],
      pieces: [0, 0, PAGE],
    });
    // Random bytes are stored as they are: the first frame begins at 40, and the piece ends before the bit.
    const first = await find(test, PACK, 'local', file.length);
    await flip(first, 40 + 5 * PAGE);
    const vault = await test.reopen();
    await assertRefused(t, { ...test, vault }, id);
  });
});
