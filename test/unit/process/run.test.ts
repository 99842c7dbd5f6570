// Running one program to its end: what comes back, and what every kind of failure says.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import test from 'node:test';
import { type HoldfastError, isHoldfastError } from '../../../src/errors/index.ts';
import { identify, isAlive, run, tryRun } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

async function errorOf(promise: Promise<unknown>): Promise<HoldfastError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  assert.ok(isHoldfastError(error), `expected a HoldfastError, got ${String(error)}`);
  return error;
}

test('run gives back what the program printed and that it ended well', async () => {
  const result = await run('sh', ['-c', 'echo out; echo err >&2']);
  assert.equal(result.stdout, 'out\n');
  assert.equal(result.stderrTail, 'err');
  assert.equal(result.exitCode, 0);
  assert.equal(result.signal, undefined);
  assert.equal(result.timedOut, false);
  assert.equal(result.isCanceled, false);
  assert.match(result.command, /^\/.*\/sh -c echo out/);
});

test('run writes the input to stdin and closes it', async () => {
  const result = await run('wc', ['-c'], { input: 'x'.repeat(300_000) });
  assert.equal(result.stdout.trim(), '300000');
});

test('a program that does not read its input fails by its status and not by a broken pipe', async () => {
  const result = await tryRun('sh', ['-c', 'exit 3'], { input: 'x'.repeat(1_000_000) });
  assert.equal(result.exitCode, 3);
});

test('a failing program throws PROCESS_FAILED with its last words and the facts', async () => {
  const error = await errorOf(run('sh', ['-c', 'echo "disk is on fire" >&2; exit 7']));
  assert.equal(error.code, 'PROCESS_FAILED');
  assert.equal(error.message, "'sh' ended with exit status 7: disk is on fire");
  assert.equal(error.details?.exitCode, 7);
  assert.equal(error.details?.stderrTail, 'disk is on fire');
  assert.equal(error.retryable, true);
});

test('an exit status that the caller expects is no failure', async () => {
  const result = await run('sh', ['-c', 'exit 2'], { okExitCodes: [0, 2] });
  assert.equal(result.exitCode, 2);
});

test('a program ended by a signal has no exit status and cannot pass for a success', async () => {
  const error = await errorOf(run('sh', ['-c', 'kill -KILL $$'], { okExitCodes: [0, 137] }));
  assert.equal(error.message, "'sh' was ended by SIGKILL");
  assert.equal(error.details?.signal, 'SIGKILL');
  assert.equal(error.details?.exitCode, undefined);
});

test('a missing program is named', async () => {
  const error = await errorOf(run('holdfast-no-such-program', []));
  assert.equal(error.code, 'PROGRAM_MISSING');
  assert.equal(error.message, "the program 'holdfast-no-such-program' is not on PATH");
  const byPath = await errorOf(run('/nowhere/at/all', []));
  assert.equal(byPath.message, "the program '/nowhere/at/all' is not there or may not be run");
});

test('a program past its deadline is stopped and says so', async () => {
  const error = await errorOf(run('sleep', ['600'], { deadlineMs: 100 }));
  assert.equal(error.code, 'PROCESS_TIMEOUT');
  assert.match(error.message, /^'sleep' did not end within its time and was stopped after \d+ ms$/);
});

test('a program that ignores SIGTERM is killed after the grace period', async (t) => {
  const ignores = path.join(await temporaryDirectory(t), 'ignores');
  const script = `trap '' TERM; touch '${ignores}'; while :; do sleep 1; done`;
  const controller = new AbortController();
  const pending = tryRun('sh', ['-c', script], { signal: controller.signal, graceMs: 200 });
  await waitFor('it to ignore the signal', () => existsSync(ignores));
  controller.abort();
  const result = await pending;
  assert.equal(result.signal, 'SIGKILL');
  assert.equal(result.isCanceled, true);
});

test('a program that is stopped (SIGSTOP) is ended all the same', async () => {
  const result = await tryRun('sh', ['-c', 'kill -STOP $$'], { deadlineMs: 300, graceMs: 60_000 });
  assert.equal(result.signal, 'SIGTERM');
});

test('an abort ends the program, and is not mistaken for a failure of its own', async () => {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 100);
  const error = await errorOf(run('sleep', ['600'], { signal: controller.signal }));
  assert.equal(error.code, 'CANCELLED');
  assert.equal(error.details?.isCanceled, true);
});

test('with a signal that has fired already, nothing is started', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'started');
  const error = await errorOf(run('touch', [file], { signal: AbortSignal.abort() }));
  assert.equal(error.code, 'CANCELLED');
  const { exitCode } = await tryRun('test', ['-e', file]);
  assert.equal(exitCode, 1);
});

test('an abort listener is not left on a signal that outlives the program', async () => {
  const { signal } = new AbortController();
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  for (let i = 0; i < 15; i++) await run('true', [], { signal });
  process.off('warning', onWarning);
  assert.deepEqual(warnings, []);
});

test('cancellation reaches the children of the program too', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'grandchild');
  const controller = new AbortController();
  const script = `sleep 600 & echo $! > '${file}.new'; mv '${file}.new' '${file}'; wait`;
  const pending = tryRun('sh', ['-c', script], { signal: controller.signal });
  const grandchild = await waitFor(
    'the grandchild',
    async () => existsSync(file) && Number(await readFile(file, 'utf8')),
  );
  controller.abort();
  assert.equal((await pending).isCanceled, true);
  await waitFor('the grandchild to end', async () => (await identify(grandchild)) === undefined);
});

test('a grandchild that keeps the output open does not hold up the result for ever', async () => {
  const startedAt = performance.now();
  const result = await run('sh', ['-c', 'sleep 600 & echo done'], { graceMs: 200 });
  assert.equal(result.stdout, 'done\n');
  assert.ok(performance.now() - startedAt < 60_000);
});

test('endless output is refused instead of filling the memory', async () => {
  const error = await errorOf(run('yes', [], { maxStdoutBytes: 100_000 }));
  assert.equal(error.code, 'PROCESS_FAILED');
  assert.equal(error.message, "'yes' wrote more to its output than was expected and was stopped");
});

test('all output is there when the program ends in the middle of writing it', async () => {
  const result = await run('head', ['-c', '5000000', '/dev/zero']);
  assert.equal(result.stdout.length, 5_000_000);
});

test('only the end of stderr is kept', async () => {
  const result = await run('sh', ['-c', 'seq 1 20000 >&2'], { stderrTailChars: 100 });
  assert.ok(result.stderrTail.length <= 100);
  assert.match(result.stderrTail, /19999\n20000$/);
  // It begins with a line: the second half of one may be a secret.
  const cut = await run('sh', ['-c', 'printf "password=%0100d\\nlast words\\n" 7 >&2'], { stderrTailChars: 40 });
  assert.equal(cut.stderrTail, 'last words');
});

test('a secret that the program prints is not in the error, also when it comes in pieces', async () => {
  const secret = 'correct-horse-battery-staple';
  const script = 'printf "password correct-horse-" >&2; sleep 0.3; printf "battery-staple is wrong" >&2; exit 1';
  const error = await errorOf(run('sh', ['-c', script], { secrets: [secret] }));
  assert.equal(error.details?.stderrTail, 'password [secret] is wrong');
  assert.ok(!error.message.includes('horse'));
});

test('the environment is a short list: our own secrets and PG variables are not passed on', async () => {
  process.env.HOLDFAST_TEST_SECRET = 'must not leak';
  process.env.PGHOST = 'must not leak';
  try {
    const { stdout } = await run('env', [], { env: { GIVEN: 'yes', TZ: undefined } });
    const names = stdout
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0]);
    assert.ok(names.includes('GIVEN') && names.includes('PATH') && names.includes('HOME'));
    assert.ok(!names.includes('HOLDFAST_TEST_SECRET') && !names.includes('PGHOST') && !names.includes('TZ'));
    assert.match(stdout, /^LC_ALL=C\.UTF-8$/m);
  } finally {
    delete process.env.HOLDFAST_TEST_SECRET;
    delete process.env.PGHOST;
  }
});

test('a program runs in the directory it is given', async (t) => {
  const directory = await temporaryDirectory(t);
  assert.equal((await run('pwd', [], { cwd: directory })).stdout.trim(), directory);
});

test('runAs runs as that user, with its home and its groups', async () => {
  const name = process.getuid?.() === 0 ? 'nobody' : os.userInfo().username;
  const { stdout } = await run('sh', ['-c', 'id -un; echo "$USER"; echo "$HOME"; id -Gn'], { runAs: name });
  const home = (await run('getent', ['passwd', name])).stdout.split(':')[5];
  const groups = (await run('id', ['-Gn', name])).stdout.trim();
  assert.deepEqual(stdout.trim().split('\n'), [name, name, home, groups]);
});

test('an unknown user is refused by name', async () => {
  const error = await errorOf(run('true', [], { runAs: 'holdfast-nobody-here' }));
  assert.equal(error.code, 'TARGET_UNFIT');
  assert.equal(error.message, "there is no user 'holdfast-nobody-here' on this host");
});

test('a child and a child as another user both die with a parent that is killed', async (t) => {
  const directory = await temporaryDirectory(t);
  const script = path.join(import.meta.dirname, '..', '..', 'support', 'parent-of-children.ts');
  const parent = await run('sh', ['-c', 'exec "$0" "$1" "$2"', process.execPath, script, directory], {
    okExitCodes: [0],
  }).catch((error: HoldfastError) => error);
  assert.ok(isHoldfastError(parent) && parent.details?.signal === 'SIGKILL', 'the parent must have killed itself');
  const children = JSON.parse(await readFile(path.join(directory, 'children.json'), 'utf8'));
  for (const child of children.dying) {
    await waitFor(`child ${child.pid} to end`, async () => !(await isAlive(child.pid, child.startTime)));
  }
  assert.equal(await isAlive(children.outliving.pid, children.outliving.startTime), true);
  process.kill(children.outliving.pid, 'SIGKILL');
});
