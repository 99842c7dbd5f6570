// Measuring: all processes of a command count, a failure is no result, and figures are summed up as the report says.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, test } from 'node:test';
import { as, type Command, shell, shown } from '../../../bench/lib/command.ts';
import { countInSummary } from '../../../bench/lib/fsyncs.ts';
import { besideS, cpuS, type Measurement, measure } from '../../../bench/lib/measure.ts';
import { inRounds } from '../../../bench/lib/rounds.ts';
import { median, percentile, summarize } from '../../../bench/lib/statistics.ts';
import { makeWorkDirectory } from '../../../bench/lib/work-directory.ts';
import { run } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const MIB = 2 ** 20;
const keeper = path.resolve(import.meta.dirname, '..', '..', '..', 'bench', 'lib', 'keep.py');
const command = (script: string): Command => ({ argv: shell(script), cwd: '/', env: {} });
const burn = 'python3 -c "import time\nwhile time.process_time() < 0.3: pass"';
/** Holds memory until the other one does too, and two seconds more. */
const hold = (own: string, other: string, mebibytes: number) =>
  `python3 -c "import os, time
held = b'x' * (${mebibytes} << 20)
open('${own}', 'w')
while not os.path.exists('${other}'): time.sleep(0.05)
time.sleep(2)"`;

describe('a measured command', () => {
  test('takes the time that it takes, and little CPU when it only waits', async () => {
    const measured = await measure('python3', command('sleep 0.5'));
    assert.ok(measured.wallS >= 0.5, `${measured.wallS} s`);
    assert.ok(cpuS(measured) < 0.3, `${cpuS(measured)} s`);
  });

  test('has the CPU time of every part of a pipeline, and of what it leaves behind', async () => {
    const pipeline = await measure('python3', command(`${burn} | ${burn}`));
    assert.ok(cpuS(pipeline) >= 0.6, `${cpuS(pipeline)} s`);
    const behind = await measure('python3', command(`(${burn}) & exit 0`));
    assert.ok(cpuS(behind) >= 0.3, `${cpuS(behind)} s`);
  });

  test('has the memory of all its processes at one time', async (t) => {
    const cwd = await temporaryDirectory(t);
    const script = `${hold('a', 'b', 60)} & ${hold('b', 'a', 80)}; wait`;
    const { peakRssBytes } = await measure('python3', { ...command(script), cwd });
    assert.ok(peakRssBytes > 140 * MIB, `${peakRssBytes} bytes`);
    assert.ok(peakRssBytes < 260 * MIB, `${peakRssBytes} bytes`);
  });

  test('has the memory that a forked process shares with its parent once, and what it wrote of its own', async (t) => {
    const cwd = await temporaryDirectory(t);
    const forking = (childs: string) => `import os, time
held = bytearray(100 << 20)
for at in range(0, len(held), 4096): held[at] = 1
if os.fork() == 0:
    ${childs}
    time.sleep(1)
    os._exit(0)
os.wait()`;
    const peakOf = async (name: string, childs: string) => {
      await writeFile(path.join(cwd, name), forking(childs));
      return (await measure('python3', { argv: ['python3', name], cwd, env: {} })).peakRssBytes / MIB;
    };
    const shared = await peakOf('shared.py', 'pass');
    assert.ok(shared > 100 && shared < 160, `${shared} MiB`);
    const written = await peakOf('written.py', 'for at in range(0, len(held), 4096): held[at] = 2');
    assert.ok(written > 200 && written < 260, `${written} MiB`);
  });

  test('has no result when it fails, nor when an early part of a pipeline does', async () => {
    const refused = { code: 'CHECK_FAILED', message: /the reason/ };
    await assert.rejects(measure('python3', command('echo the reason >&2; exit 3')), refused);
    await assert.rejects(measure('python3', command('(echo the reason >&2; exit 3) | cat')), refused);
  });

  test('ends with its program where what it leaves behind is to live on, and counts that until then', async (t) => {
    const cwd = await temporaryDirectory(t);
    const script = `(${burn}; touch burnt; exec sleep 600) > /dev/null 2>&1 & echo $! > pid; until [ -e burnt ]; do sleep 0.05; done`;
    const measured = await measure('python3', { ...command(script), cwd }, { leave: true });
    const pid = Number(await readFile(path.join(cwd, 'pid'), 'utf8'));
    assert.notEqual(await stateOf(pid), undefined);
    process.kill(pid);
    assert.ok(cpuS(measured) >= 0.3, `${cpuS(measured)} s`);
    assert.ok(measured.wallS < 300, `${measured.wallS} s`);
  });

  test('has beside it what works for it: that is no noise, and found also where it was left behind', async (t) => {
    const cwd = await temporaryDirectory(t);
    // They wait for each other without a look at the clock, which would take the longer the busier the machine is.
    await run('mkfifo', ['go', 'done'], { cwd });
    const left = `setsid bash -c '(read word < go; ${burn.replaceAll("'", "'\\''")}; echo done > done) &'`;
    const kept = spawn('python3', [keeper, ...shell(`${left}; exec sleep 600`)], { cwd, stdio: 'ignore' });
    const ended = new Promise((resolve) => kept.once('exit', resolve));
    const script = 'echo go > go; cat done > /dev/null';
    const measured = await measure('python3', { ...command(script), cwd }, { beside: { server: kept.pid as number } });
    kept.kill('SIGTERM');
    await ended;
    assert.ok((measured.besideCpuS.server as number) >= 0.3, JSON.stringify(measured));
    assert.equal(besideS(measured), measured.besideCpuS.server);
    assert.ok(cpuS(measured) < 0.3, JSON.stringify(measured));
  });

  test('has nothing of what works aside, which is told apart from noise', async (t) => {
    const cwd = await temporaryDirectory(t);
    await run('mkfifo', ['go', 'done'], { cwd });
    const aside = spawn('bash', ['-c', `read word < go; ${burn}; echo done > done; exec sleep 600`], {
      cwd,
      stdio: 'ignore',
    });
    const ended = new Promise((resolve) => aside.once('exit', resolve));
    const script = { ...command('echo go > go; cat done > /dev/null'), cwd };
    const measured = await measure('python3', script, { aside: [aside.pid as number] });
    aside.kill('SIGKILL');
    await ended;
    assert.ok(cpuS(measured) < 0.3, JSON.stringify(measured));
    assert.ok(measured.asideCpuS >= 0.3 && besideS(measured) === 0, JSON.stringify(measured));
  });

  test('says how long a server that it started waited for a program', async (t) => {
    const cwd = await temporaryDirectory(t);
    await writeFile(path.join(cwd, 'postgres'), '#!/bin/sh\nsleep 1\nexit 0\n', { mode: 0o755 });
    const measured = await measure('python3', { ...command('sleep 1; ./postgres'), cwd });
    assert.ok(measured.waitedS > 0.5 && measured.waitedS < measured.wallS - 0.5, JSON.stringify(measured));
  });

  test('is shown with names instead of paths', () => {
    const argv = shell('restic --repo /w/repo backup .; sync -f /w/repo');
    const text = shown({ argv, cwd: '/', env: { PASS: 'cat /w/key' } }, { $w: '/w', $repo: '/w/repo' });
    assert.equal(text, "PASS='cat $w/key' restic --repo $repo backup .; sync -f $repo");
    const user = { name: 'postgres', uid: 1, gid: 2, home: '/' };
    assert.equal(shown({ argv: as(user, shell('pg_ctl start')), cwd: '/', env: {} }, {}), 'pg_ctl start');
  });
});

const one = (wallS: number, peakRssBytes: number, foreignCpuS: number): Measurement => {
  const beside = { besideCpuS: { server: wallS, receiver: 1 }, asideCpuS: 0, waitedS: 0, kernelCpuS: 0 };
  return { wallS, userS: wallS, systemS: 1, peakRssBytes, foreignCpuS, loadBefore: 0, ...beside };
};

test('several measurements give medians, the greatest memory, and the noisiest moment', () => {
  assert.deepEqual(summarize([one(3, 10, 0), one(1, 30, 0.5), one(2, 20, 0)], 2), {
    rounds: 3,
    wallS: 2,
    wallSpreadS: [1, 3],
    cpuS: 3,
    userS: 2,
    besideS: 3,
    peakRssBytes: 30,
    foreignShare: 0.25,
    setAside: 0,
  });
  assert.equal(median([4, 1, 3, 2]), 2.5);
});

test('noisy measurements do not count once there are enough quiet ones, but their memory does', () => {
  const measurements = [one(1, 90, 0.5), one(2, 20, 0.1), one(3, 10, 0)];
  const { rounds, wallS, peakRssBytes, foreignShare, setAside } = summarize(measurements, 2, 2);
  const expected = { rounds: 2, wallS: 2.5, peakRssBytes: 90, foreignShare: 0.025, setAside: 1 };
  assert.deepEqual({ rounds, wallS, peakRssBytes, foreignShare, setAside }, expected);
  const tooFew = summarize(measurements, 2, 3);
  assert.deepEqual([tooFew.rounds, tooFew.foreignShare, tooFew.setAside], [3, 0.25, 0]);
});

test('rounds go on while noise has spoilt one of them, and not for ever', async () => {
  const playing = async (noisy: (round: number) => boolean) => {
    const taken: Measurement[][] = [[], []];
    const doRound = (round: number) => {
      taken[0]?.push(one(1, 1, 0));
      taken[1]?.push(one(1, 1, noisy(round) ? 0.5 : 0));
      return Promise.resolve();
    };
    return await inRounds(3, 2, doRound, () => taken);
  };
  assert.equal(await playing(() => false), 3);
  assert.equal(await playing((round) => round === 1), 4);
  assert.equal(await playing(() => true), 6);
});

test('a percentile is the smallest value that so many do not exceed', () => {
  const hundred = Array.from({ length: 100 }, (_, at) => 100 - at);
  assert.deepEqual(
    [0, 0.5, 0.99, 1].map((share) => percentile(hundred, share)),
    [1, 50, 99, 100],
  );
  assert.deepEqual([percentile([7], 0.99), percentile([1, 2], 0.5), percentile([1, 2], 0.51)], [7, 1, 2]);
  assert.throws(() => percentile([], 0.5), RangeError);
});

test('syncs are counted over all the calls of the summary', () => {
  const summary = [
    '% time     seconds  usecs/call     calls    errors syscall',
    '------ ----------- ----------- --------- --------- ----------------',
    ' 90.00    0.001000          50        20           fsync',
    ' 10.00    0.000100          50         2         1 fdatasync',
    '------ ----------- ----------- --------- --------- ----------------',
    '100.00    0.001100          50        22         1 total',
  ];
  assert.equal(countInSummary(summary.join('\n')), 22);
});

describe('a bench', () => {
  test('that is told to end ends what it measures and removes its directory', async (t) => {
    const parent = await temporaryDirectory(t);
    const script = path.resolve(import.meta.dirname, '..', '..', 'support', 'bench-under-way.ts');
    const bench = spawn(process.execPath, [script, parent], { stdio: 'ignore' });
    const ended = new Promise((resolve) => bench.once('exit', resolve));
    const pidFile = path.join(parent, 'pid');
    await waitFor('the measured command runs', async () => /\d/.test(await readFile(pidFile, 'utf8').catch(() => '')));
    const pid = Number(await readFile(pidFile, 'utf8'));
    bench.kill('SIGTERM');
    assert.equal(await ended, 1);
    assert.deepEqual(await readdir(parent), ['pid']);
    // Whoever takes over orphans may take a moment to bury them.
    await waitFor('the measured command is gone', async () => (await stateOf(pid)) === undefined);
  });

  test('touches nothing where there is too little space', async (t) => {
    const parent = await temporaryDirectory(t);
    await assert.rejects(makeWorkDirectory(parent, 1e18), { code: 'NO_SPACE' });
    assert.deepEqual(await readdir(parent), []);
  });
});

/** The letter that the kernel gives for a process; none for one that has ended, whether or not it was waited for. */
async function stateOf(pid: number): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  const state = text?.slice(text.lastIndexOf(')') + 2, text.lastIndexOf(')') + 3);
  return state === 'Z' || state === 'X' ? undefined : state;
}
