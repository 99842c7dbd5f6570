// How the files of a run are played: side by side in their order, the longest first, each counted, whatever it does.

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { start, tryRun } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const root = path.resolve(import.meta.dirname, '../../..');
const script = (name: string) => path.join(root, 'scripts/test', name);
const load = async <Module>(name: string) => (await import(script(name))) as Module;

interface Lanes {
  readonly least: number;
  readonly most: number;
  readonly hasRoom: () => boolean;
  readonly everyMs?: number;
  readonly signal?: AbortSignal;
}
type InLanes = (items: readonly number[], work: (item: number) => Promise<void>, lanes: Lanes) => Promise<void>;

/** What ran at once, at most, and the order in which it was begun. */
async function lanes(count: number, options: Lanes) {
  const { inLanes } = await load<{ inLanes: InLanes }>('in-lanes.mjs');
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  let [running, peak] = [0, 0];
  const done = inLanes(
    Array.from({ length: count }, (_, number) => number),
    async (number) => {
      begun.push(number);
      peak = Math.max(peak, ++running);
      await new Promise<void>((resolve) => ends.push(resolve));
      running--;
    },
    { everyMs: 1, ...options },
  );
  return { begun, peak: () => peak, endOne: () => ends.shift()?.(), done };
}

describe('lanes', () => {
  test('the least are always in use, further ones only while there is room, and never more than the most', async () => {
    let room = false;
    const looks: number[] = [];
    const hasRoom = () => {
      looks.push(1);
      return room;
    };
    const at = await lanes(8, { least: 2, most: 4, hasRoom });
    await waitFor('room to be asked for', async () => looks.length > 3);
    assert.deepEqual(at.begun, [0, 1]);
    at.endOne();
    await waitFor('the next to begin', async () => at.begun.length === 3);
    room = true;
    await waitFor('all lanes to be in use', async () => at.begun.length === 5);
    assert.deepEqual(at.begun, [0, 1, 2, 3, 4]);
    await waitFor('the rest', async () => {
      at.endOne();
      return at.begun.length === 8;
    });
    assert.equal(at.peak(), 4);
    for (let left = 0; left < 4; left++) at.endOne();
    await at.done;
  });

  test('after an abort what runs comes to its end, and nothing more is begun', async () => {
    const aborted = new AbortController();
    const at = await lanes(5, { least: 2, most: 2, hasRoom: () => false, signal: aborted.signal });
    aborted.abort();
    at.endOne();
    at.endOne();
    await at.done;
    assert.deepEqual(at.begun, [0, 1]);
  });
});

test('idle cores are those since the last look, and one that waits for the disk is none', async () => {
  const { idleCores } = await load<{ idleCores: (cpus: () => object[]) => () => number }>('idle-cores.mjs');
  const core = (idle: number, user: number) => ({ times: { user, nice: 0, sys: 0, irq: 0, idle } });
  const looks = [
    [core(100, 100), core(100, 100)],
    [core(200, 100), core(150, 150)],
    [core(200, 200), core(150, 250)],
    // Neither has counted anything: both wait.
    [core(200, 200), core(150, 250)],
  ];
  const idle = idleCores(() => looks.shift() ?? assert.fail('asked too often'));
  assert.deepEqual([idle(), idle(), idle()], [1.5, 0, 0]);
});

test('the longest files come first, then those that wait for servers; each file that is named is there', async () => {
  const { longestFirst } = await load<{ longestFirst: (files: string[]) => string[] }>('longest-first.mjs');
  const files = ['test/unit/a.test.ts', 'test/integration/b.test.ts', 'test/acceptance/zombie.test.ts'];
  const last = ['test/integration/a.test.ts', 'test/faults/a.test.ts', 'test/acceptance/secrets.test.ts'];
  assert.deepEqual(longestFirst([...files, ...last]), [
    'test/acceptance/zombie.test.ts',
    'test/acceptance/secrets.test.ts',
    'test/integration/a.test.ts',
    'test/integration/b.test.ts',
    'test/faults/a.test.ts',
    'test/unit/a.test.ts',
  ]);
  const named = (await readFile(script('longest-first.mjs'), 'utf8')).match(/test\/\S+\.test\.ts/g) ?? [];
  assert.ok(named.length > 10);
  for (const file of named) assert.ok((await readFile(path.join(root, file))).length > 0);
});

describe('files', () => {
  const test1 = "import test from 'node:test';\n";
  const texts = {
    good: "test('is good', () => {}); test('is good, too', (t) => t.test('inside', () => {}));",
    bad: "test('is bad', () => { throw new Error('no'); });",
    skipped: "test('is left out', { skip: true }, () => {});",
    hook: "test.after(() => { throw new Error('at the end'); }); test('before it', () => {});",
    slow: "test('never ends', () => new Promise((resolve) => setTimeout(resolve, 600_000)));",
    empty: '',
    killed: "test('is killed', () => { process.kill(process.pid, 'SIGKILL'); return new Promise(() => {}); });",
    broken: "throw new Error('while it is loaded');",
    left: "test('leaves', () => { process.exit(0); }); test('is never begun', () => {});",
    leftLater:
      "test('is good', () => {}); test('leaves', () => { process.exit(0); }); test('is never begun', () => {});",
  };

  const play = async (
    t: Parameters<typeof temporaryDirectory>[0],
    names: (keyof typeof texts)[],
    timeoutMs = 60_000,
  ) => {
    const directory = await temporaryDirectory(t);
    const files = names.map((name) => path.join(directory, `${name}.test.mjs`));
    for (const [at, name] of names.entries()) await writeFile(files[at] ?? '', `${test1}${texts[name]}\n`);
    const summary = path.join(directory, 'summary.json');
    return { summary, args: [script('run-files.mjs'), summary, String(timeoutMs), ...files] };
  };
  /** A runner that is started by a runner's child would take itself for such a child. */
  const env = { NODE_TEST_CONTEXT: undefined, PATH: process.env.PATH };

  test('are counted together, and one that fails makes all of it fail', async (t) => {
    const { summary, args } = await play(t, ['good', 'bad', 'skipped', 'empty', 'hook']);
    const { exitCode, stdout } = await tryRun(process.execPath, args, { env, cwd: root });
    assert.equal(exitCode, 1);
    const told = JSON.parse(await readFile(summary, 'utf8'));
    assert.deepEqual(
      [told.passed, told.skipped.length, told.empty.length],
      [4, 1, 1],
      `${stdout}${JSON.stringify(told)}`,
    );
    assert.equal(told.failed, 2);
    assert.deepEqual(told.failedFiles.map((file: string) => path.basename(file)).toSorted(), [
      'bad.test.mjs',
      'hook.test.mjs',
    ]);
  });

  for (const name of ['killed', 'broken', 'left', 'leftLater'] as const) {
    test(`that end before their tests do are no success: ${name}`, async (t) => {
      const { summary, args } = await play(t, [name, 'good']);
      const { exitCode, stdout } = await tryRun(process.execPath, args, { env, cwd: root });
      const told = JSON.parse(await readFile(summary, 'utf8'));
      assert.equal(told.passed, 3, stdout);
      assert.ok(exitCode === 1 || told.empty.length > 0, `${exitCode} ${stdout}`);
    });
  }

  test('that are told to end end, and are no success', async (t) => {
    const { args } = await play(t, ['slow']);
    const runner = await start(process.execPath, args, { env, cwd: root });
    await waitFor(
      'the file to run',
      async () => (await readFile(`/proc/${runner.pid}/task/${runner.pid}/children`, 'utf8')).trim() !== '',
    );
    process.kill(runner.pid, 'SIGTERM');
    const { exitCode } = await runner.finished;
    assert.equal(exitCode, 1);
  });
});
