// What a restore of files in place must hold and have before it touches anything: a directory of its own, the lock, the newest token, room.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, chown, mkdir, readdir, readFile, rename, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { whileHeld } from '../../../src/files/in-place/hold.ts';
import { type Home, openHome } from '../../../src/files/in-place/place.ts';
import { rollbackInPlace, runsInPlace } from '../../../src/files/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { copyTree, differences } from '../../support/file-trees.ts';
import { cutAt, InPlaceTrees, namesIn, onceStaged } from '../../support/in-place.ts';

describe('a restore of files in place, before it touches anything', () => {
  let trees: InPlaceTrees;

  before(async () => {
    trees = await InPlaceTrees.make();
  });
  after(() => trees[Symbol.asyncDispose]());

  const changed = async (name: string): Promise<{ root: string; id: SnapshotId }> => {
    const root = await trees.root(name);
    for (const each of ['a', 'b', 'c']) await writeFile(join(root, each), `then ${each}`);
    const id = await trees.capture(root);
    for (const each of ['a', 'b', 'd']) await writeFile(join(root, each), `now ${each}`);
    await rm(join(root, 'c'));
    return { root, id };
  };

  it('refuses a directory of its own that is not its own alone', async () => {
    const { root, id } = await changed('home');
    const home = join(root, '.holdfast');
    const elsewhere = await trees.root('elsewhere');
    const others: readonly [RegExp, () => Promise<void>][] = [
      [/is no directory/, () => symlink(elsewhere, home)],
      [/is no directory/, () => writeFile(home, 'x')],
      [/has mode 755/, () => mkdir(home).then(() => chmod(home, 0o755))],
      [/belongs to another user \(65534\)/, () => mkdir(home, { mode: 0o700 }).then(() => chown(home, 65534, 65534))],
    ];
    for (const [message, make] of others) {
      await make();
      const refused = { code: 'TARGET_UNFIT', message };
      await assert.rejects(trees.plan(id, root), refused);
      await assert.rejects(trees.restore(id, root, 'run'), refused);
      await assert.rejects(rollbackInPlace({ root, run: 'run' }), refused);
      await rm(home, { recursive: true });
    }
    await assert.rejects(trees.restore(id, root, '../run'), { code: 'USAGE' });
    assert.deepEqual(await readdir(elsewhere), []);
    assert.deepEqual(await namesIn(root), ['a', 'b', 'd']);
  });

  it('goes on in the directory that it has opened, whatever somebody puts in its place', async () => {
    const { root, id } = await changed('swapped');
    const elsewhere = await trees.root('swapped-elsewhere');
    let asked = 0;
    const check = async () => {
      if (++asked !== 3) return;
      await rename(join(root, '.holdfast'), join(trees.base, 'moved'));
      await symlink(elsewhere, join(root, '.holdfast'));
    };
    await trees.restoreOnly(id, root, 'run', { guard: { check, checkEveryMs: 0 } });
    assert.ok(asked > 3);
    assert.deepEqual(await readdir(elsewhere), []);
    assert.deepEqual((await readdir(join(trees.base, 'moved/run/old'))).sort(), ['a', 'b', 'd']);
    await rm(join(root, '.holdfast'));
    await rename(join(trees.base, 'moved'), join(root, '.holdfast'));
    await rollbackInPlace({ root, run: 'run' });
    assert.equal(await readFile(join(root, 'd'), 'utf8'), 'now d');
  });

  it('makes its directory without changing the time of the root', async () => {
    const { root, id } = await changed('times');
    await utimes(root, 1_500_000_000, 1_500_000_000);
    const now = await copyTree(root, `${root}.now`);
    await assert.rejects(trees.restore(id, root, 'run', { guard: cutAt(1) }), /cut off/);
    assert.deepEqual(await differences(now, root), []);
    assert.equal((await stat(root)).mtimeMs, 1_500_000_000_000);
    await rollbackInPlace({ root, run: 'run' });
  });

  it('ends when its lock is lost, and lets nobody in beside it', async () => {
    const { root } = await changed('locked');
    const home = (await openHome(root, { makes: true })) as Home;
    try {
      const work = whileHeld(home, {}, async ({ check, lost }) => {
        await check();
        const file = join(root, '.holdfast/lock');
        const refused = {
          code: 'LOCKED',
          message: new RegExp(`process \\(${process.pid}\\) holds the lock '${file}'`),
        };
        await assert.rejects(
          whileHeld(home, { waitMs: 0 }, () => Promise.resolve()),
          refused,
        );
        process.kill(await holderOf(file), 'SIGKILL');
        if (!lost.aborted) await once(lost, 'abort');
        await check();
      });
      await assert.rejects(work, { code: 'FENCED', message: /was lost/ });
      await whileHeld(home, {}, ({ check }) => check());
    } finally {
      home.close();
    }
  });

  it('lets no older attempt go on once a newer one has written', async () => {
    const { root, id } = await changed('fenced');
    const attempt = (token: number, at = -1) => trees.restore(id, root, 'run', { guard: { ...cutAt(at), token } });
    await assert.rejects(attempt(5, 4), /cut off/);
    await assert.rejects(attempt(4), { code: 'FENCED' });
    await assert.rejects(rollbackInPlace({ root, run: 'run', guard: { token: 4 } }), { code: 'FENCED' });
    assert.equal((await runsInPlace(root)).get('run')?.token, 5);
    await attempt(6);
    await rollbackInPlace({ root, run: 'run', guard: { token: 7 } });
    await assert.rejects(attempt(8), { code: 'JOURNAL_STATE' });
    const { token, phase } = (await runsInPlace(root)).get('run') ?? {};
    assert.deepEqual([token, phase], [7, 'rolled back']);
    // Somebody without a token, at the host itself, is no older attempt.
    assert.equal((await rollbackInPlace({ root, run: 'run' })).phase, 'rolled back');
    assert.deepEqual(await namesIn(root), ['a', 'b', 'd']);
  });

  it('does not ask its guard more often than it is told, and ends at once when that is lost', async () => {
    const { root, id } = await changed('seldom');
    let asked = 0;
    const check = () => Promise.resolve(void asked++);
    await trees.restore(id, root, 'run', { guard: { check, checkEveryMs: 600_000 } });
    assert.equal(asked, 1);
    const lost = AbortSignal.abort(new Error('somebody has it'));
    await assert.rejects(rollbackInPlace({ root, run: 'run', guard: { check, lost } }), /somebody has it/);
    assert.equal((await runsInPlace(root)).get('run')?.phase, 'exchanged');
    await rollbackInPlace({ root, run: 'run' });
  });

  it('says of what does not let itself be changed that it is so, and goes on once it does', async () => {
    const { root, id } = await changed('immutable');
    execFileSync('mount', ['--bind', join(root, 'b'), join(root, 'b')]);
    try {
      await assert.rejects(trees.restore(id, root, 'run'), { code: 'TARGET_UNFIT', message: /mounted at/ });
    } finally {
      execFileSync('umount', [join(root, 'b')]);
    }
    const mount = () => void execFileSync('mount', ['--bind', join(root, 'b'), join(root, 'b')]);
    const guard = onceStaged(root, 'run', mount);
    const late = trees.restore(id, root, 'run', { guard });
    try {
      await assert.rejects(late, { code: 'TARGET_UNFIT', message: /does not let itself be changed: EBUSY/ });
    } finally {
      execFileSync('umount', [join(root, 'b')]);
    }
    await trees.restore(id, root, 'run');
    assert.equal(await readFile(join(root, 'b'), 'utf8'), 'then b');
    await rollbackInPlace({ root, run: 'run' });
    assert.equal(await readFile(join(root, 'b'), 'utf8'), 'now b');
  });

  it('gives back one snapshot by one run', async () => {
    const { root, id } = await changed('same-run');
    const other = await trees.capture(root);
    const guard = onceStaged(root, 'run', () => Promise.reject(new Error('cut off')));
    await assert.rejects(trees.restore(id, root, 'run', { guard }), /cut off/);
    await assert.rejects(trees.restore(other, root, 'run'), { code: 'PLAN_CHANGED', message: new RegExp(id) });
    await rollbackInPlace({ root, run: 'run' });
  });

  it('says how much room it needs, and refuses to begin without', async () => {
    const root = await trees.root('small');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', root]);
    try {
      await writeFile(join(root, 'large'), randomBytes(16 * 1024 * 1024));
      const id = await trees.capture(root);
      await rm(join(root, 'large'));
      await writeFile(join(root, 'other'), randomBytes(16 * 1024 * 1024));
      const { space, warnings } = await trees.plan(id, root);
      assert.ok(
        space.neededBytes > space.availableBytes && space.availableBytes > 16 * 1024 * 1024,
        JSON.stringify(space),
      );
      assert.match(warnings.join('\n'), /are needed, and .* are free/);
      await assert.rejects(trees.restore(id, root, 'run'), { code: 'NO_SPACE', hint: /make room for .* more/ });
      assert.deepEqual(await namesIn(root), ['other']);
      await rm(join(root, 'other'));
      await trees.restore(id, root, 'run');
      assert.deepEqual(await namesIn(root), ['large']);
    } finally {
      execFileSync('umount', [root]);
    }
  });

  it('names owners that nobody has here, and counts all that it could not give', async () => {
    const { root, id } = await changed('owned');
    const opened = await trees.test.vault.openSnapshot(id);
    const entries = async function* () {
      for await (const entry of opened.entries()) {
        // What no file system takes: a name of an attribute in no name space.
        const xattrs = entry.type === 'file' ? { 'nowhere.colour': 'eA==' } : {};
        yield { ...entry, user: 'holdfast-nobody', xattrs };
      }
    };
    const reader = { snapshot: opened.snapshot, entries, restoreFiles: opened.restoreFiles.bind(opened) };
    const { warnings } = await trees.plan(id, root, { reader });
    assert.match(warnings.join('\n'), /nobody here has the name of these owners.*user 'holdfast-nobody'/);
    const { lacking } = await trees.restore(id, root, 'run', { reader });
    assert.equal(lacking.count, 3, JSON.stringify(lacking));
    assert.deepEqual(
      lacking.first.map(({ what, code }) => `${what} ${code}`),
      Array(3).fill('nowhere.colour ENOTSUP'),
    );
    opened.close();
    // Asked again, it says the same.
    assert.deepEqual((await trees.restore(id, root, 'run')).lacking, lacking);
  });
});

/** The child that holds the lock for this process. */
async function holderOf(file: string): Promise<number> {
  const inode = (await stat(file)).ino;
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
    if (!status.includes(`\nPPid:\t${process.pid}\n`)) continue;
    for (const handle of await readdir(`/proc/${pid}/fd`).catch(() => [])) {
      const found = await stat(`/proc/${pid}/fd/${handle}`).catch(() => undefined);
      if (found?.ino === inode) return Number(pid);
    }
  }
  throw new Error('nobody holds the lock');
}
