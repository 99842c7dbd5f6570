// The file lock: one holder, given back by release and by every kind of death, and its loss is noticed.

import assert from 'node:assert/strict';
import { access, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { holdLock, isLockHeld, run, start } from '../../../src/process/index.ts';
import { onceLocked } from '../../support/once-locked.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

const holderScript = path.join(import.meta.dirname, '..', '..', 'support', 'lock-holder.ts');

/** Somebody who looks for as long as he is let. */
async function lookAt(t: TestContext, file: string) {
  const look = await start('flock', ['--shared', '--no-fork', file, 'sh', '-c', 'echo looking; exec cat']);
  const end = async () => {
    look.stdin?.end();
    await look.finished;
  };
  t.after(end);
  await new Promise((resolve) => look.stdout?.once('data', resolve));
  return { end };
}

/** A zombie runs no more. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => 'State:\tZ');
  return !/^State:\tZ/m.test(status);
}

async function takeAndRelease(file: string): Promise<void> {
  await (await holdLock(file)).release();
}

async function takeWhenFree(file: string) {
  return waitFor('the lock to be free', () =>
    holdLock(file).catch((error: unknown) => {
      assert.ok(isHoldfastError(error, 'LOCKED'), String(error));
      return undefined;
    }),
  );
}

test('a lock has one holder, and the second one is told who that is', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  const lock = await holdLock(file);
  await assert.rejects(holdLock(file), (error) => {
    assert.ok(isHoldfastError(error, 'LOCKED'));
    assert.equal(error.message, `another process (${process.pid}) holds the lock '${file}'`);
    assert.equal(error.exit, 3);
    return true;
  });
  await lock.release();
  await lock.release();
  const again = await holdLock(file);
  assert.equal(JSON.parse(await readFile(file, 'utf8')).pid, process.pid);
  await again.release();
});

test('a lock whose holder cannot be written down is held, and given back, like any other', async (t) => {
  // No write into a directory succeeds, whoever the user is; it can be locked all the same.
  const place = await temporaryDirectory(t);
  const lock = await holdLock(place);
  assert.equal(await isLockHeld(place), true);
  await assert.rejects(holdLock(place), (error) => {
    assert.ok(isHoldfastError(error, 'LOCKED'));
    assert.equal(error.message, `another process holds the lock '${place}'`);
    return true;
  });
  await lock.release();
  assert.equal(await isLockHeld(place), false);
  await (await holdLock(place)).release();
});

const replacements: Readonly<Record<string, string>> = {
  removed: 'rm "$1"',
  replaced: 'rm "$1"; echo "{}" >"$1"',
};

for (const [what, command] of Object.entries(replacements)) {
  test(`a lock on a file that was ${what} before it was had is none: the one that is there is taken`, async (t) => {
    const file = path.join(await temporaryDirectory(t), 'lock');
    await writeFile(file, 'of the one before\n');
    await onceLocked(t, command, file);
    const lock = await holdLock(file);
    t.after(() => lock.release());
    assert.equal(await isLockHeld(file), true);
    await assert.rejects(takeAndRelease(file), (error) => isHoldfastError(error, 'LOCKED'));
    assert.equal(JSON.parse(await readFile(file, 'utf8')).pid, process.pid);
  });
}

test('a lock whose directory was removed before it was had is an error, and nobody goes on to hold it', async (t) => {
  const directory = path.join(await temporaryDirectory(t), 'own');
  await mkdir(directory);
  const file = path.join(directory, 'lock');
  const seen = await onceLocked(t, 'rm -r "$(dirname "$1")"', file);
  await assert.rejects(takeAndRelease(file), (error) => isHoldfastError(error, 'PROCESS_FAILED'));
  await assert.rejects(access(directory), { code: 'ENOENT' });
  assert.equal(await isRunning(Number(await readFile(seen, 'utf8'))), false);
});

test('other programs that use flock see the lock', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  const lock = await holdLock(file);
  await run('flock', ['--nonblock', '--conflict-exit-code', '9', file, 'true'], { okExitCodes: [9] });
  await lock.release();
  await run('flock', ['--nonblock', file, 'true']);
});

test('the lock is free again when its holder is killed with SIGKILL', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  const holder = await start(process.execPath, [holderScript, file]);
  await new Promise((resolve) => holder.stdout?.once('data', resolve));
  await assert.rejects(holdLock(file), (error) => isHoldfastError(error, 'LOCKED'));
  process.kill(holder.pid, 'SIGKILL');
  await holder.finished;
  await (await takeWhenFree(file)).release();
});

test('a lock whose keeper is killed is reported as lost', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  const lock = await holdLock(file);
  process.kill(lock.holderPid, 'SIGKILL');
  const error = await lock.lost;
  assert.equal(error.code, 'FENCED');
  assert.equal(error.message, `the lock '${file}' was lost: its holder ${lock.holderPid} ended`);
  await lock.release();
});

test('a lock that was released is not reported as lost', async (t) => {
  const lock = await holdLock(path.join(await temporaryDirectory(t), 'lock'));
  await lock.release();
  const first = await Promise.race([lock.lost, new Promise((resolve) => setTimeout(() => resolve('silence'), 200))]);
  assert.equal(first, 'silence');
});

test('a lock in a directory that is not there is an error of its own, not a taken lock', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'no', 'such', 'lock');
  await assert.rejects(holdLock(file), (error) => {
    assert.ok(isHoldfastError(error, 'PROCESS_FAILED'));
    return error.message.includes('cannot open lock file') && error.message.includes(file);
  });
});

test('a look tells whether the lock is held, and leaves the file and the lock as they are', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  assert.equal(await isLockHeld(file), false);
  await assert.rejects(access(file), { code: 'ENOENT' });
  const lock = await holdLock(file);
  const { mtimeMs } = await stat(file);
  assert.equal(await isLockHeld(file), true);
  await lock.release();
  await lookAt(t, file);
  assert.deepEqual(await Promise.all(Array.from({ length: 6 }, () => isLockHeld(file))), Array(6).fill(false));
  assert.equal((await stat(file)).mtimeMs, mtimeMs);
  await assert.rejects(isLockHeld(path.dirname(file).concat('/lock/none')), { code: 'ENOTDIR' });
});

test('who wants the lock while somebody only looks waits until the look is over', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  const look = await lookAt(t, file);
  const wanted = holdLock(file);
  const first = await Promise.race([
    wanted.then(
      () => 'an answer',
      () => 'an answer',
    ),
    new Promise((resolve) => setTimeout(() => resolve('silence'), 500)),
  ]);
  assert.equal(first, 'silence');
  await look.end();
  await (await wanted).release();
});

test('many who look again and again keep nobody from the lock', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'lock');
  let isOver = false;
  const looking = Array.from({ length: 3 }, async () => {
    while (!isOver) await isLockHeld(file);
  });
  try {
    for (let round = 0; round < 5; round++) await (await holdLock(file)).release();
  } finally {
    isOver = true;
    await Promise.all(looking);
  }
});
