// What a restore in place leaves where it is: mounts, what rules leave out, what was never captured; and what it refuses because of them.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { link, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { ComponentId } from '../../../src/domain/component.ts';
import {
  compareBeside,
  confirmInPlace,
  type FilesDetails,
  planFiles,
  restoreBeside,
  rollbackInPlace,
} from '../../../src/files/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { copyTree, differences } from '../../support/file-trees.ts';
import { everything, InPlaceTrees, namesIn, onceStaged } from '../../support/in-place.ts';

describe('a restore of files in place, where something is left alone', () => {
  let trees: InPlaceTrees;

  before(async () => {
    trees = await InPlaceTrees.make();
  });
  after(() => trees[Symbol.asyncDispose]());

  /** Directories end with a slash; each file holds its name. */
  const made = async (name: string, names: readonly string[]): Promise<string> => {
    const root = await trees.root(name);
    await add(root, names);
    return root;
  };
  const add = async (root: string, names: readonly string[], content?: string): Promise<void> => {
    for (const name of names) {
      await mkdir(join(root, name.endsWith('/') ? name : join(name, '..')), { recursive: true });
      if (!name.endsWith('/')) await writeFile(join(root, name), content ?? name);
    }
  };
  const withMount = async (place: string, options: readonly string[], use: () => Promise<void>): Promise<void> => {
    execFileSync('mount', [...options, place]);
    try {
      await use();
    } finally {
      execFileSync('umount', [place]);
    }
  };
  const captured = async (id: SnapshotId): Promise<{ names: string[]; leftOut: string[] }> => {
    const reader = await trees.test.vault.openSnapshot(id);
    try {
      const { leftOut } = reader.snapshot.engine as unknown as FilesDetails;
      const names: string[] = [];
      for await (const { path } of reader.entries()) names.push(`/${path}`);
      return { names, leftOut: leftOut.first.map(({ path, why }) => `/${path} ${why}`) };
    } finally {
      reader.close();
    }
  };
  const inMemory = ['-t', 'tmpfs', 'tmpfs'];

  it('takes nothing away that the rules leave out, of then or of now', async () => {
    const root = await made('ruled', ['sub/kept', 'sessions/old']);
    const id = await trees.capture(root, { ...everything, exclude: ['*.tmp'] });
    await add(root, ['sub/a.tmp', 'later/b.tmp', 'later/c', 'sub/d.log'], 'of today');
    await writeFile(join(root, 'sessions/old'), 'of today');
    const before = await copyTree(root, `${root}.now`);
    const rules = { ...everything, exclude: ['*.log', '/sessions/'] };
    await trees.restore(id, root, 'run', { rules });
    const left = ['later', 'later/b.tmp', 'sessions', 'sessions/old', 'sub', 'sub/a.tmp', 'sub/d.log', 'sub/kept'];
    assert.deepEqual(await namesIn(root), left);
    assert.equal(await readFile(join(root, 'sessions/old'), 'utf8'), 'of today');
    await rollbackInPlace({ root, run: 'run' });
    assert.deepEqual(await differences(before, root), []);
  });

  it('refuses that a directory gives way as a whole while it holds what is left out, by rules, by a mount, or made meanwhile', async () => {
    const root = await made('whole', ['x']);
    const id = await trees.capture(root);
    await rm(join(root, 'x'));
    await add(root, ['x/y/a', 'x/y/b.tmp', 'x/disk/']);
    const before = await copyTree(root, `${root}.now`);
    const rules = { ...everything, exclude: ['*.tmp'] };
    const refused = { code: 'TARGET_UNFIT', message: /'\/.*\/x' gives way.*'\/.*\/x\/y\/b.tmp' in it is left alone/ };
    await assert.rejects(trees.plan(id, root, { rules }), refused);
    await assert.rejects(trees.restore(id, root, 'ruled', { rules }), refused);
    await rollbackInPlace({ root, run: 'ruled' });
    await withMount(join(root, 'x/disk'), inMemory, async () => {
      await writeFile(join(root, 'x/disk/precious'), 'x');
      await assert.rejects(trees.plan(id, root), { code: 'TARGET_UNFIT', message: /left alone|file system/ });
      assert.equal(await readFile(join(root, 'x/disk/precious'), 'utf8'), 'x');
    });
    await rm(join(root, 'x/y/b.tmp'));
    const guard = onceStaged(root, 'late', () => writeFile(join(root, 'x/y/late.tmp'), 'late'));
    const late = { code: 'TARGET_UNFIT', message: /'x\/y\/late.tmp' in it, made meanwhile, is left alone/ };
    await assert.rejects(trees.restore(id, root, 'late', { rules, guard }), late);
    await rollbackInPlace({ root, run: 'late' });
    assert.deepEqual(await readdir(join(root, 'x/y')), ['a', 'late.tmp']);
    await rm(join(root, 'x/y/late.tmp'));
    await writeFile(join(root, 'x/y/b.tmp'), 'x/y/b.tmp');
    await assert.rejects(stat(join(root, '.holdfast/late/old')), { code: 'ENOENT' });
    assert.deepEqual(await namesIn(root), await namesIn(before));
  });

  it('goes around a mount that no change touches, also one in a directory that is emptied, and refuses one that a change touches', async () => {
    const root = await made('mounted', ['disk/', 'file', 'going/']);
    const id = await trees.capture(root);
    await rm(join(root, 'going'), { recursive: true });
    await add(root, ['disk/', 'gone/a', 'gone/deep/disk/', 'gone/deep/b']);
    await writeFile(join(root, 'file'), 'changed');
    await withMount(join(root, 'disk'), inMemory, async () => {
      await withMount(join(root, 'gone/deep/disk'), inMemory, async () => {
        await writeFile(join(root, 'disk/in'), 'on the mount');
        await writeFile(join(root, 'gone/deep/disk/in'), 'on the mount');
        await trees.restore(id, root, 'run');
        const left = ['disk', 'disk/in', 'file', 'going', 'gone', 'gone/deep', 'gone/deep/disk', 'gone/deep/disk/in'];
        assert.deepEqual(await namesIn(root), left);
        assert.equal(await readFile(join(root, 'file'), 'utf8'), 'file');
        await confirmInPlace({ root, run: 'run' });
        assert.deepEqual(await namesIn(root), left);
      });
    });
    await rename(join(root, 'disk'), join(root, 'was-disk'));
    await add(root, ['disk/one']);
    const inside = await trees.capture(root);
    await rm(join(root, 'disk/one'));
    const touched = {
      code: 'TARGET_UNFIT',
      message: /'\/.*\/disk(\/one)?' would change, and it is on another file system/,
    };
    await withMount(join(root, 'disk'), inMemory, async () => {
      await assert.rejects(trees.plan(inside, root), touched);
    });
    // Of the same file system: only the list of mounts tells.
    await add(root, ['other/']);
    await withMount(join(root, 'disk'), ['--bind', join(root, 'other')], async () => {
      await assert.rejects(trees.plan(inside, root), touched);
    });
    await writeFile(join(root, 'file'), 'changed');
    await withMount(join(root, 'file'), ['--bind', join(root, 'was-disk/../gone/deep/../../file')], async () => {
      await assert.rejects(trees.plan(inside, root), { code: 'TARGET_UNFIT', message: /\/file' would change/ });
    });
  });

  it('removes nothing across a mount when it is confirmed or rolled back, and does once that is unmounted', async () => {
    const root = await made('late-mount', ['file']);
    const id = await trees.capture(root);
    await add(root, ['extra/disk']);
    await rm(join(root, 'extra/disk'));
    await mkdir(join(root, 'extra/disk'));
    await rm(join(root, 'file'));
    await mkdir(join(root, 'file/disk'), { recursive: true });
    await trees.restore(id, root, 'run');
    const kept = join(root, '.holdfast/run/old/file/disk');
    await withMount(kept, inMemory, async () => {
      await writeFile(join(kept, 'precious'), 'x');
      await assert.rejects(confirmInPlace({ root, run: 'run' }), { code: 'TARGET_UNFIT', hint: /unmount it/ });
      assert.equal(await readFile(join(kept, 'precious'), 'utf8'), 'x');
    });
    assert.equal((await confirmInPlace({ root, run: 'run' })).phase, 'confirmed');
    assert.deepEqual(await readdir(join(root, '.holdfast/run')), ['journal.jsonl']);
  });

  it('refuses a way that leads through a link, before it begins and when somebody makes one meanwhile', async () => {
    const root = await made('linked', ['x/y/one', 'x/two']);
    const outside = await made('outside', ['y/precious']);
    const id = await trees.capture(root);
    const selection = { paths: [join(root, 'x/y')] };
    await rm(join(root, 'x'), { recursive: true });
    await symlink(outside, join(root, 'x'));
    const unfit = { code: 'TARGET_UNFIT', message: /x' is a symbolic link, and leads to what is to be given back/ };
    await assert.rejects(trees.plan(id, root, { selection }), unfit);
    await assert.rejects(trees.restore(id, root, 'one', { selection }), unfit);
    await rollbackInPlace({ root, run: 'one' });
    await rm(join(root, 'x'));
    await add(root, ['x/y/']);
    let isStaged = false;
    const guard = onceStaged(root, 'two', async () => {
      isStaged = true;
      await rename(join(root, 'x'), join(root, 'was-x'));
      await symlink(outside, join(root, 'x'));
    });
    const meanwhile = trees.restore(id, root, 'two', { guard, selection });
    await assert.rejects(meanwhile, { code: 'TARGET_UNFIT', message: /x' is no directory/ });
    assert.ok(isStaged);
    assert.deepEqual(await namesIn(outside), ['y', 'y/precious']);
    await rm(join(root, 'x'));
    await rename(join(root, 'was-x'), join(root, 'x'));
    await rollbackInPlace({ root, run: 'two' });
    assert.deepEqual(await namesIn(outside), ['y', 'y/precious']);
    // Wanted itself, it is one of the changes, and what it leads to is not.
    await rm(join(root, 'x'), { recursive: true });
    await symlink(outside, join(root, 'x'));
    await trees.restore(id, root, 'three');
    assert.deepEqual(await namesIn(root), ['x', 'x/two', 'x/y', 'x/y/one']);
    assert.deepEqual(await namesIn(outside), ['y', 'y/precious']);
  });

  it('takes nothing away that may have been there when it could not be captured', async () => {
    const root = await made('unseen', ['small', 'sub/large', 'cache/CACHEDIR.TAG', 'cache/data']);
    await writeFile(join(root, 'sub/large'), Buffer.alloc(5000));
    await writeFile(join(root, 'cache/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55');
    const id = await trees.capture(root, { ...everything, largestBytes: 4999 });
    // By today's rules and names nothing of that is left out any more.
    await writeFile(join(root, 'sub/large'), 'small by now');
    await rm(join(root, 'cache/CACHEDIR.TAG'));
    await add(root, ['new']);
    await trees.restore(id, root, 'run');
    assert.deepEqual(await namesIn(root), ['cache', 'cache/CACHEDIR.TAG', 'cache/data', 'small', 'sub', 'sub/large']);
    await confirmInPlace({ root, run: 'run' });
  });

  it('tells what is wanted and stays away because a rule leaves out what has its name today', async () => {
    const root = await made('shadowed', ['small', 'cache/data', 'cache/deep/data']);
    await link(join(root, 'small'), join(root, 'small-too'));
    const id = await trees.capture(root);
    await rm(join(root, 'small-too'));
    await writeFile(join(root, 'small'), Buffer.alloc(5000));
    await writeFile(join(root, 'cache/CACHEDIR.TAG'), 'Signature: 8a477f597d28d172789f06886806bc55');
    await writeFile(join(root, 'cache/data'), 'of today');
    const rules = { ...everything, largestBytes: 4999 };
    const { leftAlone, warnings } = await trees.restore(id, root, 'run', { rules });
    const told = leftAlone.first.map(({ path, why }) => `${path.slice(root.length)} ${why}`);
    assert.deepEqual(told, [
      'cache/data cache',
      'cache/deep cache',
      'cache/deep/data cache',
      'small too large',
      'small-too too large',
    ]);
    assert.match(warnings.join('\n'), /5 names are left alone/);
    assert.equal((await stat(join(root, 'small'))).size, 5000);
    assert.equal(await readFile(join(root, 'cache/data'), 'utf8'), 'of today');
  });

  it('tells what the snapshot has under names that rules leave out by now, and the way to have it', async () => {
    const root = await made('ruled-later', ['videos/a.mp4', 'videos/b.mp4', 'text']);
    await link(join(root, 'videos/b.mp4'), join(root, 'videos/b-too'));
    const id = await trees.capture(root);
    for (const name of ['videos/a.mp4', 'videos/b.mp4', 'text']) await rm(join(root, name));
    const rules = { ...everything, exclude: ['*.mp4'] };
    const { leftAlone, warnings, counts } = await trees.plan(id, root, { rules });
    const told = leftAlone.first.map(({ path, why }) => `${path.slice(root.length)} ${why}`);
    assert.deepEqual(told, ['videos/a.mp4 excluded', 'videos/b.mp4 excluded']);
    assert.equal(leftAlone.count, 2);
    assert.equal(counts.create.entries, 1);
    assert.match(warnings.join('\n'), /2 names are left alone.*videos\/a.mp4', .*`--beside DIR` gives them back/);
    const selection = { paths: [join(root, 'videos/a.mp4')] };
    const out = { code: 'TARGET_UNFIT', message: /rules leave out all that is to be given back/, hint: /--beside DIR/ };
    await assert.rejects(trees.plan(id, root, { rules, selection }), out);
    const blockersOf = async (name: string) => {
      const request = { vault: trees.test.vault, run: 'run', component: 'files/uploads' as ComponentId, host: 'here' };
      const wanted = { target: { type: 'snapshot', id }, selection: { paths: [join(root, name)] } } as const;
      const rootsNow = () => Promise.resolve([]);
      return (await planFiles({ ...request, ...wanted, rules, rootsNow, signal: trees.signal })).blockers;
    };
    assert.match(JSON.stringify(await blockersOf('videos/a.mp4')), /leave out all.*--beside DIR/);
    assert.equal(await blockersOf('text'), undefined);
    await rm(root, { recursive: true });
    assert.match(JSON.stringify(await blockersOf('videos/a.mp4')), /nothing is to be done.*a.mp4.*--beside DIR/);
    assert.equal(await blockersOf('text'), undefined);
  });

  it('holds what another restore keeps deeper in the root, which no snapshot has', async () => {
    const root = await made('around', ['inner/file', 'gone-by-then/file']);
    const inner = join(root, 'inner');
    const ofRoot = await trees.capture(root);
    await rm(join(root, 'gone-by-then'), { recursive: true });
    const ofInner = await trees.capture(inner);
    await add(root, ['inner/file'], 'of today');
    await trees.restore(ofInner, inner, 'inside');
    await add(root, ['later/file', 'later/.holdfast/run/old/precious', 'later/deep/.holdfast'], 'precious');
    const later = await trees.capture(root);
    const { names, leftOut } = await captured(later);
    assert.deepEqual(leftOut, [`${inner}/.holdfast of Holdfast`, `${root}/later/.holdfast of Holdfast`]);
    assert.ok(
      names.includes(`${root}/later/deep/.holdfast`) && !names.some((each) => /holdfast\//.test(each)),
      'names',
    );
    await trees.restore(ofRoot, root, 'outside');
    await confirmInPlace({ root, run: 'outside' });
    assert.equal(await readFile(join(root, 'later/.holdfast/run/old/precious'), 'utf8'), 'precious');
    assert.deepEqual(await readdir(join(root, 'later')), ['.holdfast']);
    await rollbackInPlace({ root: inner, run: 'inside' });
    assert.equal(await readFile(join(inner, 'file'), 'utf8'), 'of today');
  });

  it('keeps what came to lie under our name in what it brought in, and compares it in a tree beside', async () => {
    const root = await made('brought', ['inner/file']);
    const id = await trees.capture(root);
    await rm(join(root, 'inner'), { recursive: true });
    await trees.restore(id, root, 'run');
    await add(root, ['inner/.holdfast/other/old/precious']);
    const ofOther = await trees.capture(join(root, 'inner/.holdfast/other'));
    const { written } = await rollbackInPlace({ root, run: 'run' });
    assert.deepEqual(written?.files.first, ['inner/.holdfast/other/old/precious']);
    const reader = await trees.test.vault.openSnapshot(ofOther);
    const directory = join(trees.base, 'brought-beside');
    try {
      await restoreBeside({ reader, directory, run: 'run', selection: {}, signal: trees.signal });
      const { differing } = await compareBeside(reader, directory, {});
      assert.deepEqual(
        differing.first.filter((each) => /holdfast\//.test(each)),
        [],
      );
    } finally {
      reader.close();
    }
  });

  it('refuses a root that the snapshot does not have, or that is a file', async () => {
    const root = await made('plain', ['file', 'sub/file']);
    const id = await trees.capture(root);
    await assert.rejects(trees.plan(id, join(root, 'sub')), { code: 'TARGET_UNFIT', message: /has no root/ });
    await rename(root, `${root}.away`);
    await writeFile(root, 'a file');
    await assert.rejects(trees.plan(id, root), { code: 'TARGET_UNFIT', message: /is a file/ });
    await assert.rejects(trees.restore(id, root, 'run'), { code: 'TARGET_UNFIT' });
    assert.equal(await readFile(root, 'utf8'), 'a file');
  });
});
