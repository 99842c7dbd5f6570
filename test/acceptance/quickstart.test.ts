// The quickstart as a person runs it: the whole story with its proof, and a Ctrl-C that leaves nothing behind.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
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
  const dir = path.join(await temporaryDirectory(t), 'sandbox');
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
  assert.deepEqual(await processesOf(dir), []);
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
});
