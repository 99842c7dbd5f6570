// The quickstart as a person runs it: the whole story with its proof, and a Ctrl-C that leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { tryRun } from '../../src/process/index.ts';
import { nextSteps } from '../../src/sandbox/quickstart/next-steps.ts';
import { untilFree } from '../support/lock-of-the-dead.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait-for.ts';

const program = path.resolve(import.meta.dirname, '../../src/sandbox/quickstart/main.ts');
const patient = { limitMs: 600_000, pauseMs: 200 };

/** Processes that name the directory in their arguments or environment. */
async function processesOf(directory: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const texts = await Promise.all(
    pids.map(async (pid) => {
      const parts = ['cmdline', 'environ'].map((part) => readFile(`/proc/${pid}/${part}`, 'utf8').catch(() => ''));
      return (await Promise.all(parts)).join('\0');
    }),
  );
  return pids.filter((pid, index) => Number(pid) !== process.pid && texts[index]?.includes(directory));
}

async function quickstart(t: TestContext, ...args: string[]) {
  return startIn(path.join(await temporaryDirectory(t), 'sandbox'), ...args);
}

function startIn(dir: string, ...args: string[]) {
  const child = spawn(process.execPath, [program, '--dir', dir, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  return { dir, child, ended, said: () => said };
}

test('tells its whole story, proves the recovery, and takes everything down', async (t) => {
  const { dir, ended, said } = await quickstart(t, '--once');
  assert.deepEqual(await ended, [0, null], said());
  assert.match(said(), /acknowledged before it, and lost\s+0 of [1-9]/);
  assert.match(said(), /━━ proved\n {2}recovered to/);
  assert.match(said(), /RPO\s+[\d.]+ s/);
  assert.doesNotMatch(said(), /not counted/);
  assert.match(said(), /facts of \d+ databases?: [\d,]+ rows in \d+ tables/);
  assert.deepEqual(await processesOf(dir), []);
  assert.equal(existsSync(dir), false);
});

test('takes everything down after Ctrl-C, also when it is told twice and nobody reads what it says', async (t) => {
  const { dir, child, ended, said } = await quickstart(t);
  await waitFor('the bank to be open', () => said().includes('pgbench'), patient);
  assert.ok((await processesOf(dir)).length > 4, said());
  child.stdout.destroy();
  child.stderr.destroy();
  child.kill('SIGINT');
  child.kill('SIGHUP');
  child.kill('SIGINT');
  const [code, signal] = await ended;
  assert.equal(signal, null);
  assert.notEqual(code, 0);
  assert.deepEqual(await processesOf(dir), []);
  assert.equal(existsSync(dir), false);
});

test('refuses a directory in which another one runs, and clears what a dead one left there', async (t) => {
  const first = await quickstart(t);
  const { dir } = first;
  await waitFor('the bank to be open', () => first.said().includes('pgbench'), patient);
  const before = await processesOf(dir);
  const second = startIn(dir);
  assert.deepEqual(await second.ended, [3, null], second.said());
  assert.ok(second.said().includes(`a quickstart (process ${first.child.pid}) is running in '${dir}': temporal, `));
  assert.match(second.said(), /hint: stop it with Ctrl-C .* or `kill \d+`, or choose another directory: `npm run/);
  const now = await processesOf(dir);
  for (const pid of before) if (Number(pid) !== second.child.pid) assert.ok(now.includes(pid), `${pid} of ${before}`);
  first.child.kill('SIGKILL');
  await first.ended;
  await untilFree(path.join(dir, 'quickstart.lock'));
  const third = startIn(dir);
  await waitFor('the bank to be open again', () => third.said().includes('pgbench'), patient);
  assert.match(third.said(), /an earlier quickstart has left its sandbox in .*: it is taken down first/);
  assert.match(third.said(), /stopped .*temporal/);
  third.child.kill('SIGINT');
  await third.ended;
  assert.deepEqual(await processesOf(dir), []);
});

for (const major of ['abc', '9']) {
  test(`ends, and leaves nothing, when the sandbox cannot be started: PostgreSQL ${major}`, async (t) => {
    const { dir, ended, said } = await quickstart(t, '--postgres', major);
    assert.deepEqual(await ended, [1, null], said());
    assert.match(said(), new RegExp(`--postgres.*${major}|${major} is not set up`));
    assert.doesNotMatch(said(), /holdfast list|^logs:/m);
    assert.deepEqual(await processesOf(dir), []);
    assert.equal(existsSync(dir), false);
  });
}

test('leaves the logs of one that failed where it says they are, also after Ctrl-C while it is taken down', async (t) => {
  const { dir, child, ended, said } = await quickstart(t);
  await waitFor('the bank to be open', () => said().includes('pgbench'), patient);
  const { pids } = JSON.parse(await readFile(path.join(dir, 'sandbox', 'sandbox.json'), 'utf8'));
  process.kill(pids.postgres.pid, 'SIGKILL');
  await waitFor('it to be taken down', () => said().includes('take everything down'), patient);
  child.kill('SIGINT');
  assert.deepEqual(await ended, [1, null], said());
  assert.match(said(), /SIGINT: stopping/);
  const logs = /^logs: (.+)$/m.exec(said())?.[1] ?? assert.fail(said());
  assert.ok((await readdir(logs)).length > 0);
  assert.deepEqual(await processesOf(dir), []);
});

test('says what can be asked when it is asked for something else, and touches nothing', async (t) => {
  const { dir, ended, said } = await quickstart(t, '--pstgres', '15');
  assert.deepEqual(await ended, [2, null], said());
  assert.match(said(), /^error: Unknown option '--pstgres'.* \(USAGE\)\nusage: npm run quickstart/);
  assert.equal(existsSync(dir), false);
});

test('touches no directory that is not its own', async (t) => {
  const dir = await temporaryDirectory(t);
  await writeFile(path.join(dir, 'precious'), 'of somebody');
  const { ended, said } = startIn(dir);
  assert.deepEqual(await ended, [3, null], said());
  assert.match(
    said(),
    /is not empty, and not the directory of a quickstart \(TARGET_UNFIT\)\nhint: choose another one/,
  );
  assert.deepEqual(await readdir(dir), ['precious']);
});

test('suggests commands that work as they are printed, and says what blocks the next restore in place', async () => {
  const lines = nextSteps("/tmp/a b's", 'restore-3f9a1c2b');
  const commands = lines.filter((line) => /^ {2}\S*\/bin\/holdfast /.test(line));
  assert.equal(commands.length, 7);
  const [, variable = ''] = lines;
  for (const command of commands) {
    const { exitCode, stdout } = await tryRun('sh', ['-c', `${variable}\n${command} --help`], { cwd: '/' });
    assert.equal(exitCode, 0, command);
    assert.match(stdout, /^Usage: holdfast /);
  }
  const words = lines.join('\n');
  assert.match(
    words,
    /holdfast confirm restore-3f9a1c2b\n[\s\S]*holdfast rollback restore-3f9a1c2b\n[\s\S]*another restore in place is refused$/,
  );
  const { stdout } = await tryRun('sh', ['-c', `${variable}\nprintf %s "$HOLDFAST_CONFIG"`]);
  assert.equal(stdout, "/tmp/a b's/holdfast.yaml");
});
