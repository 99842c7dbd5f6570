// Deaths in the middle of Git's work: wherever a run is killed, the next attempt ends with one snapshot and one commit, here and at the remote.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { findProgram, run } from '../../../src/process/index.ts';
import {
  CONFIGURATION_COMPONENT,
  captureNumber,
  detailsOf,
  git,
  placeIn,
  remoteAt,
  sourceOf,
} from '../../support/configuration-capture.ts';
import { untilFree } from '../../support/lock-of-the-dead.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const PROGRAM = join(import.meta.dirname, '../../support/capture-configuration-and-die.ts');

/** Of Git's arguments, as the pattern of a shell; `isIn`: whether the snapshot is committed by then. */
const POINTS = [
  { what: 'between the commit and its bundle', call: '*" bundle create "*', when: 'before', isIn: false },
  { what: 'between the bundle and its proof', call: '*" bundle verify "*', when: 'before', isIn: false },
  { what: 'before main takes the commit over', call: '*" --no-write-fetch-head "*', when: 'before', isIn: true },
  { what: 'between fetching the commit and moving main', call: '*" update-ref -m "*', when: 'before', isIn: true },
  { what: 'before the push', call: '*" push "*', when: 'before', isIn: true },
  { what: 'after the push, before it is noted', call: '*" push "*', when: 'after', isIn: true },
] as const;

describe('a capture that is killed', () => {
  let base: string;
  let vault: TestVault;
  let number = 0;
  const at = (name: string) => join(base, name);
  const repository = () => placeIn(at('state')).repository;
  const main = () => git(repository(), 'rev-parse', 'main');
  const capture = (each: number) =>
    captureNumber({
      ...{ vault: vault.vault, stateDirectory: at('state'), source: sourceOf([at('etc')]), number: each },
      remote: remoteAt(at('remote.git')),
    });

  before(async () => {
    base = await mkdtemp(join(tmpdir(), 'holdfast-deaths-'));
    for (const name of ['etc', 'state', 'programs']) await mkdir(at(name));
    await writeFile(at('etc/hosts'), '127.0.0.1 localhost\n');
    await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', at('remote.git')]);
    vault = await testVault();
    await capture(++number);
  });
  after(async () => {
    await rm(base, { recursive: true, force: true });
    await vault[Symbol.asyncDispose]();
  });

  /** A capture of a process whose Git kills it at that call. `instead`: what it does first, as a shell says it. */
  async function killed(each: number, call: string, when: 'before' | 'after', instead?: string): Promise<void> {
    const real = await findProgram('git');
    const first = instead ?? (when === 'before' ? '' : `'${real}' "$@"; `);
    const script = `#!/bin/sh\ncase " $* " in ${call}) ${first}kill -9 $PPID; exit 1 ;; esac\nexec '${real}' "$@"\n`;
    await writeFile(at('programs/git'), script, { mode: 0o755 });
    const args = [
      PROGRAM,
      vault.keyFile,
      vault.path('local'),
      at('state'),
      at('etc'),
      String(each),
      'never',
      at('remote.git'),
    ];
    const env = { ...process.env, PATH: `${at('programs')}:${process.env.PATH}` };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'], env });
    const [, signal] = await once(child, 'exit');
    assert.equal(signal, 'SIGKILL');
    await untilFree(join(placeIn(at('state')).directory, 'lock'));
  }

  for (const { what, call, when, isIn } of POINTS) {
    it(`${what} is made up for by the next attempt: one snapshot, one commit`, async () => {
      await appendFile(at('etc/hosts'), `10.0.0.${number} ${what}\n`);
      const was = await main();
      const dying = ++number;
      await killed(dying, call, when);
      const ids = async () => (await vault.vault.listSnapshots(CONFIGURATION_COMPONENT)).map(({ id }) => id);
      assert.equal((await ids()).includes(snapshotId(dying)), isIn);
      const { snapshot, push } = await capture(dying);
      assert.equal(snapshot.id, snapshotId(dying));
      assert.deepEqual([push?.state, push?.behind], ['pushed', 0], push?.because);
      assert.equal(await main(), detailsOf(snapshot).repository.commit);
      assert.equal(await git(repository(), 'rev-list', '--count', `${was}..main`), '1');
      assert.match(await git(repository(), 'log', '-1', '--format=%B'), new RegExp(`Snapshot: ${snapshotId(dying)}`));
      assert.equal(await git(at('remote.git'), 'rev-parse', 'main'), await main());
      assert.equal(await git(repository(), 'for-each-ref', 'refs/holdfast/commits'), '');
      assert.equal(await git(repository(), 'fsck', '--no-dangling'), '');
      assert.equal((await ids()).length, number);
      assert.deepEqual(
        (await readdir(placeIn(at('state')).directory)).filter((name) => name.startsWith('work-')),
        [],
      );
    });
  }

  it('while it makes one pack of many leaves all that there was, and the next one makes it', async () => {
    const counted = async (what: string) =>
      Number(new RegExp(`^${what}: (\\d+)$`, 'm').exec(await git(repository(), 'count-objects', '-v'))?.[1]);
    const dangling = await manyPacks(repository());
    const packs = join(repository(), 'objects/pack');
    const real = await findProgram('git');
    const middle = [
      // The new pack is there, and so are the old ones; another one was never finished.
      `'${real}' --git-dir='${repository()}' repack -a --quiet; : > '${packs}/tmp_pack_abc123'; : > '${packs}/.tmp-1-pack-x.idx'; `,
      '',
    ];
    for (const instead of middle) {
      const was = await main();
      const dying = ++number;
      await appendFile(at('etc/hosts'), `10.1.0.${number} packed\n`);
      await killed(dying, '*" repack "*', 'before', instead);
      assert.ok((await counted('packs')) > 50);
      assert.equal(await main(), was);
      assert.equal(await git(repository(), 'fsck', '--no-dangling'), '');
    }
    const { snapshot, mended } = await capture(number);
    assert.deepEqual(mended, []);
    assert.equal(await main(), detailsOf(snapshot).repository.commit);
    // One, and perhaps one of the commit that came since.
    assert.ok((await counted('packs')) <= 2);
    assert.equal(await git(repository(), 'fsck', '--no-dangling'), '');
    assert.deepEqual(
      (await readdir(packs)).filter((name) => /^(?:tmp_|\.tmp-)/.test(name)),
      [],
    );
    // What nobody refers to may be somebody's all the same.
    assert.equal(await git(repository(), 'cat-file', '-t', dangling), 'blob');
  });
});

/** As many as a repository has after years; gives an object that no commit reaches. */
async function manyPacks(repository: string): Promise<string> {
  const script = [
    `export GIT_DIR='${repository}'`,
    'for n in $(seq 60); do id=$(echo "object $n" | git hash-object -w --stdin)',
    'echo "$id" | git pack-objects --quiet "$GIT_DIR/objects/pack/pack" > /dev/null; done',
    'git prune-packed --quiet; echo "$id"',
  ].join('\n');
  return (await run('sh', ['-c', script])).stdout.trim();
}
