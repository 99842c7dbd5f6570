// A directory whose disk fills up at any write: told as such, nothing half made is visible, the other copy goes on where the policy lets it, and all is well once there is room.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { isHoldfastError } from '../../src/errors/index.ts';
import { run } from '../../src/process/index.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import type { CommitPolicy } from '../../src/vault/index.ts';
import { COMPONENT, readFiles, seededBytes, snapshotId, takeSnapshot, testVault } from '../support/vault.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
/** A page of the file system: every write that can fail does so at one of these. */
const STEP_BYTES = isFull ? 4096 : 32_768;
const DISK_BYTES = 4 * 1024 * 1024;
const files = { 'base/1': seededBytes('one', 150_000), PG_VERSION: Buffer.from('17\n') };

let disk = '';
before(async () => {
  // A file system of its own that is really full; only root may mount one.
  assert.equal(process.getuid?.(), 0, 'this test mounts a small file system, for which it must be root');
  disk = await mkdtemp(join(tmpdir(), 'holdfast-small-'));
  await run('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=0755`, 'tmpfs', disk]);
});
after(async () => {
  await run('umount', [disk]);
  await rm(disk, { recursive: true });
});

const ballast = () => join(disk, 'ballast');

/** Leaves so many bytes. */
async function leave(bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(disk);
  await writeFile(ballast(), Buffer.alloc(Math.max(0, bavail * bsize - bytes)));
}

/** Whatever has a name in the copy is whole, and nothing unfinished is left. */
async function requireNothingHalfMade(directory: string): Promise<void> {
  const names = await readdir(directory, { recursive: true });
  assert.deepEqual(
    names.filter((name) => name.includes('.tmp-')),
    [],
  );
  const store = new FileStore('local', directory);
  for await (const { key } of store.list(`${COMPONENT}/`)) {
    const bytes = await store.get(key);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (key.includes('/packs/')) assert.equal(sha256, key.slice(-64));
    else assert.equal(bytes.subarray(0, 4).toString(), 'HFSO', key);
  }
}

function isOfFullDisk(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (isHoldfastError(cause, 'NO_SPACE')) return true;
  return false;
}

/** One backup with so much room, then one with enough. Gives whether the room was too little. */
async function visit(room: number, policy: CommitPolicy): Promise<boolean> {
  const local = await mkdtemp(join(disk, 'copy-'));
  try {
    const store = async (name: string, directory: string) => new FileStore(name, name === 'local' ? local : directory);
    await using test = await testVault({ copies: ['local', 'eu'], policy, store });
    await leave(room);
    const taken = await takeSnapshot(test.vault, files, 1).catch((error: unknown) => {
      assert.ok(isHoldfastError(error, 'POLICY_UNMET') && isOfFullDisk(error), String(error));
      return undefined;
    });
    await requireNothingHalfMade(local);
    const fresh = await test.reopen();
    const [listed] = await fresh.listSnapshots(COMPONENT);
    if (policy.copies === 1) assert.equal(taken?.copies.eu, 'present', 'the other copy must go on');
    else if (taken === undefined) assert.notEqual(listed?.copies.local, 'present');
    if (listed !== undefined) {
      const copies = Object.entries(listed.copies).filter(([, state]) => state === 'present');
      for (const [copy] of copies) assert.deepEqual(await readFiles(await fresh.openSnapshot(listed.id, copy)), files);
    }
    const wasTooLittle = taken?.copies.local !== 'present';
    await truncate(ballast());
    await takeSnapshot(fresh, files, 1);
    await fresh.catchUp('local');
    await fresh.verifyCopy(COMPONENT, snapshotId(1), 'local');
    assert.deepEqual(await readFiles(await fresh.openSnapshot(snapshotId(1), 'local')), files);
    return wasTooLittle;
  } catch (cause) {
    throw new Error(`with room for ${room} bytes`, { cause });
  } finally {
    await rm(ballast(), { force: true });
    await rm(local, { recursive: true });
  }
}

describe('a copy on a disk that fills up', () => {
  for (const [title, policy] of [
    ['is left behind, and the backup goes on with the other copy', { copies: 1, offsite: 0 }],
    ['ends the backup with its reason where the policy needs that copy', { copies: 2, offsite: 1 }],
  ] as const) {
    it(`${title}, at every write`, async (t) => {
      let visited = 0;
      while (await visit(visited * STEP_BYTES, policy)) visited++;
      t.diagnostic(`${visited} points visited, ${STEP_BYTES} bytes apart`);
      assert.ok(visited > 150_000 / STEP_BYTES);
    });
  }

  it('tells a full disk from a broken one, and keeps what it had', async () => {
    const directory = join(disk, 'one');
    await mkdir(directory);
    const store = new FileStore('local', directory);
    await store.put('runs/a/first', Buffer.from('kept'));
    await leave(0);
    await assert.rejects(store.put('runs/a/second', seededBytes('x', 20_000)), { code: 'NO_SPACE' });
    assert.equal(await store.head('runs/a/second'), undefined);
    assert.equal((await store.get('runs/a/first')).toString(), 'kept');
    await rm(ballast());
    await store.put('runs/a/second', seededBytes('x', 20_000));
    await rm(directory, { recursive: true });
  });
});
