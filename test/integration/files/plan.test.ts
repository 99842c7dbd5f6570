// What a plan says of the room that it takes: file system by file system, and without the holes of files; and of a place in what is captured.

import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'node:test';
import { captureFiles, planFiles } from '../../../src/files/index.ts';
import { everything } from '../../support/in-place.ts';
import { memoryDirectory, snapshotId, testVault } from '../../support/vault.ts';

const component = 'files/uploads';
const HOLES_BYTES = 64 * 1024 * 1024;

it('counts no holes, and tells the room of every file system that a root is on', async (t) => {
  await using test = await testVault();
  const signal = AbortSignal.timeout(600_000);
  const roots = await Promise.all([tmpdir(), memoryDirectory()].map((place) => mkdtemp(join(place, 'holdfast-plan-'))));
  t.after(() => Promise.all(roots.map((root) => rm(root, { recursive: true }))));
  for (const root of roots) await writeFile(join(root, 'file'), 'x'.repeat(5000));
  await writeFile(join(roots[0] ?? '', 'sparse'), '');
  await truncate(join(roots[0] ?? '', 'sparse'), HOLES_BYTES);
  await captureFiles({
    vault: test.vault,
    source: { roots, rules: everything },
    request: { component, class: 'files', host: 'here', snapshotId: snapshotId(1) },
    signal,
  });
  const options = {
    vault: test.vault,
    run: 'run',
    component,
    host: 'here',
    rules: everything,
    signal,
    rootsNow: async () => [],
  } as const;
  const asked = { ...options, target: { type: 'latest' }, selection: {} } as const;

  const beside = await planFiles({ ...asked, directory: join(tmpdir(), 'holdfast-plan-not-there') });
  assert.equal(beside.entries.bytes, HOLES_BYTES + 10_000);
  assert.equal(beside.space.neededBytes, 10_000);
  assert.deepEqual(beside.warnings, []);
  // What is given back in a root is captured with it.
  const [root = ''] = roots;
  const within = await planFiles({ ...asked, directory: join(root, 'found') });
  assert.match(within.warnings.join(), new RegExp(`^'${root}/found' lies in '${root}', which is protected: the next `));

  for (const root of roots) await rm(join(root, 'file'));
  const inPlace = await planFiles(asked);
  const devices = new Set(await Promise.all(roots.map(async (root) => (await stat(root)).dev)));
  const places = [inPlace.space, ...(inPlace.space.elsewhere ?? [])];
  assert.equal(places.length, devices.size);
  for (const { neededBytes, availableBytes } of places) assert.ok(neededBytes >= 5000 && availableBytes > 0);
});
