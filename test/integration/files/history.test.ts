// The past of files: in which snapshots a path is, and in what two states differ; what could not be read is never told as absent.

import assert from 'node:assert/strict';
import { link, mkdir, mkdtemp, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { FilesDiff } from '../../../src/domain/files-history.ts';
import { captureFiles, diffFiles, findFiles } from '../../../src/files/index.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const component = 'files/uploads';
const open = { oneFileSystem: true, cacheTags: true };

describe('the past of files', () => {
  let base: string;
  let source: string;
  let test: TestVault;
  const taken: SnapshotOnCopies[] = [];
  const at = (name: string) => join(source, name);
  const signal = AbortSignal.timeout(600_000);

  const capture = async (exclude: readonly string[] = []) => {
    const snapshot = await captureFiles({
      vault: test.vault,
      source: { roots: [source], rules: { exclude, ...open } },
      request: { snapshotId: snapshotId(taken.length + 1), component, class: 'files', host: 'here' },
      signal,
    });
    taken.push(snapshot);
  };
  const idOf = (number: number) => (taken[number] as SnapshotOnCopies).id;
  const find = (wanted: string, vault = test.vault) => findFiles({ vault, component, wanted, signal });
  const diff = (
    one: string,
    other: string,
    changes: { readonly exclude?: string[]; readonly paths?: string[] } = {},
  ) => {
    const { exclude = [], paths } = changes;
    const disk = { roots: [source], rules: { exclude, ...open } };
    const rest = { host: 'here', timezone: 'UTC', disk, signal, ...(paths && { paths }) };
    return diffFiles({ vault: test.vault, component, one, other, ...rest });
  };
  const told = ({ first }: FilesDiff) =>
    first.map(({ kind, path, aspects }) => [kind, path.slice(source.length + 1), ...aspects].join(' '));

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-history-'));
    source = join(base, 'source');
    await mkdir(at('in/deep'), { recursive: true });
    await writeFile(at('in/kept'), 'kept');
    await writeFile(at('in/comes'), 'one');
    await writeFile(at('in/deep/b'), 'linked');
    await writeFile(at('left.tmp'), 'temporary');
    test = await testVault();
    await capture();
    await capture();
    await writeFile(at('in/comes'), 'two more');
    await link(at('in/deep/b'), at('in/deep/a'));
    await capture();
    await rm(at('in/comes'));
    await capture(['*.tmp']);
    await capture(['*.tmp']);
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  it('tells where a path was, in equal states told once, newest first', async () => {
    const { paths, looked } = await find(at('in/comes'));
    assert.equal(looked.snapshots, 5);
    const [only] = paths;
    assert.equal(only?.lastSeen.id, idOf(2));
    assert.equal(only.isInNewest, false);
    const states = only.states.map(({ why, sizeBytes, first, last, snapshots }) => [
      why ?? sizeBytes,
      first.id,
      last.id,
      snapshots,
    ]);
    assert.deepEqual(states, [
      ['absent', idOf(3), idOf(4), 2],
      [8, idOf(2), idOf(2), 1],
      [3, idOf(0), idOf(1), 2],
    ]);
    assert.match(only.states[1]?.sha256Prefix ?? '', /^[0-9a-f]{12}$/);
  });

  it('tells of a path that no snapshot has why: not there, left out, or below no root', async () => {
    const whyNot = async (wanted: string) => {
      const { paths, absent } = await find(wanted);
      return [paths.length, absent?.map(({ why, snapshots }) => [why, snapshots])];
    };
    assert.deepEqual(await whyNot(at('in/never')), [0, [['absent', 5]]]);
    const rules = [
      ['left out', 2],
      ['absent', 3],
    ];
    assert.deepEqual(await whyNot(at('in/never.tmp')), [0, rules]);
    assert.deepEqual(await whyNot('/etc/passwd'), [0, [['not captured', 5]]]);
    assert.deepEqual(await whyNot('*.nothing'), [0, undefined]);
    assert.deepEqual(await whyNot(at('in/comes')), [1, undefined]);
  });

  it('tells what the rules leave out from what was not there, and a link as the file that it is', async () => {
    const [left] = (await find('*.tmp')).paths;
    assert.deepEqual(
      left?.states.map(({ why }) => why),
      ['left out', undefined],
    );
    const [linked] = (await find(at('in/deep/b'))).paths;
    assert.deepEqual(
      linked?.states.map(({ sameAs, sizeBytes }) => [sameAs, sizeBytes]),
      [
        [at('in/deep/a'), 6],
        [undefined, 6],
      ],
    );
    const below = (await find('deep')).paths.map(({ path }) => path.slice(source.length + 1));
    assert.deepEqual(below, ['in/deep', 'in/deep/a', 'in/deep/b']);
  });

  it('does not take a snapshot that cannot be read for one without the path', async () => {
    const broken: Pick<TestVault['vault'], 'listSnapshots' | 'openSnapshot'> = {
      listSnapshots: (of) => test.vault.listSnapshots(of),
      openSnapshot: (id, from) =>
        id === idOf(2) ? Promise.reject(new Error('not today')) : test.vault.openSnapshot(id, from),
    };
    const found = await findFiles({ vault: broken, component, wanted: at('in/comes'), signal });
    assert.deepEqual(
      found.unread.map(({ snapshot }) => snapshot.id),
      [idOf(2)],
    );
    assert.equal(found.paths[0]?.lastSeen.id, idOf(1));
    assert.equal(found.looked.snapshots, 4);
  });

  it('keeps the first paths of all snapshots when there are too many, and says so', async () => {
    await mkdir(at('many'));
    for (let number = 0; number < 120; number++) await writeFile(at(`many/${String(number).padStart(3, '0')}`), 'x');
    await capture();
    for (let number = 0; number < 60; number++) await rm(at(`many/${String(number).padStart(3, '0')}`));
    await capture();
    const { paths, hasMore } = await find('/**/many/*');
    assert.equal(hasMore, true);
    assert.equal(paths.length, 100);
    assert.equal(paths[0]?.path, at('many/000'));
    assert.equal(paths[99]?.path, at('many/099'));
    assert.deepEqual(
      paths[99]?.states.map(({ snapshots }) => snapshots),
      [2],
    );
    await rm(at('many'), { recursive: true });
    await capture();
  });

  it('differs from another snapshot in what changed, came and went', async () => {
    const compared = await diff(idOf(1), idOf(2));
    assert.deepEqual(told(compared), [
      'changed in/comes content time',
      'changed in/deep time',
      'created in/deep/a',
      'changed in/deep/b links',
    ]);
    assert.deepEqual(compared.counts, { created: 1, changed: 3, removed: 0, same: 4 });
    assert.deepEqual(compared.bytes, { created: 6, changedBefore: 9, changedAfter: 8, removed: 0 });
    const back = await diff(idOf(2), taken[1]?.to ?? '', { paths: [at('in/comes'), at('in/deep/a')] });
    assert.deepEqual(told(back), ['changed in/comes content time', 'removed in/deep/a']);
    assert.equal(back.other.snapshot?.id, idOf(1));
  });

  it('does not take for removed what the rules of the other side leave out', async () => {
    const compared = await diff(idOf(2), idOf(3));
    assert.deepEqual(told(compared), ['changed in time', 'removed in/comes']);
    assert.equal(compared.notCompared, 1);
  });

  it('differs in its time, and not in its content, where somebody has given it another time', async () => {
    await utimes(at('in/kept'), 1, 1);
    await utimes(at('in/deep/b'), 2, 2);
    const touched = (compared: FilesDiff) => told(compared).filter((line) => /kept|deep\/b/.test(line));
    const expected = ['changed in/deep/b time', 'changed in/kept time'];
    assert.deepEqual(touched(await diff('latest', 'now')), expected);
    assert.deepEqual(touched(await diff('now', 'latest')), expected);
    await writeFile(at('in/kept'), 'tpek');
    assert.ok(told(await diff('latest', 'now')).includes('changed in/kept content time'));
    await writeFile(at('in/kept'), 'kept');
    await capture();
  });

  it('differs from the disk where only reading tells, and in nothing where nothing differs', async () => {
    assert.deepEqual(told(await diff('latest', 'now')), []);
    const same = await diff('latest', 'now', { exclude: ['*.tmp'] });
    assert.deepEqual(told(same), []);
    assert.equal(same.notCompared, 1);
    assert.ok(same.counts.same >= 6);
    const { mtime, atime } = await stat(at('in/kept'));
    await writeFile(at('in/kept'), 'KEPT');
    await utimes(at('in/kept'), atime, mtime);
    await rename(at('in/deep/a'), at('in/deep/c'));
    const changed = await diff('latest', 'now', { exclude: ['*.tmp'] });
    const aspects = changed.first.filter(({ path }) => path === at('in/kept')).flatMap((each) => each.aspects);
    // The fraction of a second that utimes cannot give back is a time of its own.
    assert.ok(aspects.includes('content'), JSON.stringify(changed.first));
    assert.ok(told(changed).includes('created in/deep/c') && told(changed).includes('removed in/deep/a'));
    await assert.rejects(diff('now', 'now'), { code: 'USAGE' });
  });
});
