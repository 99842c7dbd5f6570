// Started processes: streams, logs, stopping, and what is known of them while they run.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import { gunzipSync } from 'node:zlib';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { identify, isAlive, start, stopByPid } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { waitFor } from '../../support/wait-for.ts';

test('streams go through a process in both directions', async () => {
  const child = await start('gzip', ['-c']);
  const chunks: Buffer[] = [];
  const sink = new Writable({
    write(chunk, _encoding, done) {
      chunks.push(chunk);
      done();
    },
  });
  await Promise.all([
    pipeline(Readable.from([Buffer.alloc(2_000_000, 'a')]), child.stdin as Writable),
    pipeline(child.stdout as Readable, sink),
    child.succeeded(),
  ]);
  assert.equal(gunzipSync(Buffer.concat(chunks)).length, 2_000_000);
});

test('a pipeline whose program fails after its last byte is not taken for a success', async () => {
  const child = await start('sh', ['-c', 'echo all of it; echo "but the check failed" >&2; exit 1']);
  (child.stdout as Readable).resume();
  await assert.rejects(child.succeeded(), (error) => {
    assert.ok(isHoldfastError(error, 'PROCESS_FAILED'));
    return error.message === "'sh' ended with exit status 1: but the check failed";
  });
});

test('a slow reader of the output loses nothing, even when the program has long ended', async () => {
  const child = await start('head', ['-c', '60000', '/dev/zero'], { graceMs: 50 });
  await new Promise((resolve) => setTimeout(resolve, 400));
  let sizeBytes = 0;
  for await (const chunk of child.stdout as Readable) sizeBytes += (chunk as Buffer).length;
  assert.equal(sizeBytes, 60_000);
  assert.equal((await child.finished).exitCode, 0);
});

test('a reader of output that was cut off sees an error and not an end', async () => {
  // The grandchild has left the group when it speaks, and keeps the output open, so it can only be cut off.
  const child = await start('sh', ['-c', "setsid sh -c 'echo $$; exec sleep 600' & wait"], { graceMs: 100 });
  let grandchild = 0;
  const reading = (async () => {
    for await (const chunk of child.stdout as Readable) {
      grandchild = Number(chunk);
      void child.stop();
    }
  })();
  try {
    await assert.rejects(reading, { code: 'ERR_STREAM_PREMATURE_CLOSE' });
    assert.equal((await child.finished).isCanceled, true);
  } finally {
    if (grandchild > 0) process.kill(grandchild, 'SIGKILL');
  }
});

test('stop ends a server, and stopping twice is harmless', async () => {
  const child = await start('sleep', ['600']);
  assert.equal(await isAlive(child.identity.pid, child.identity.startTime), true);
  const result = await child.stop();
  assert.equal(result.signal, 'SIGTERM');
  assert.equal(result.isCanceled, true);
  assert.deepEqual(await child.stop(), result);
  assert.equal(await isAlive(child.identity.pid, child.identity.startTime), false);
});

test('stop sends the signal it is given', async () => {
  const child = await start('sh', ['-c', "trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done"]);
  await new Promise((resolve) => child.stdout?.once('data', resolve));
  assert.equal((await child.stop({ signal: 'SIGINT' })).exitCode, 5);
});

test('a log file takes both outputs and is appended to', async (t) => {
  const logFile = path.join(await temporaryDirectory(t), 'server.log');
  for (const word of ['first', 'second']) {
    const child = await start('sh', ['-c', `echo ${word}; echo ${word} again >&2`], { logFile });
    assert.equal(child.stdout, undefined);
    await child.succeeded();
  }
  assert.equal(await readFile(logFile, 'utf8'), 'first\nfirst again\nsecond\nsecond again\n');
});

test('with the terminal given to it, a child writes where we do, stays in our group and is stopped alone', async (t) => {
  const script = path.join(import.meta.dirname, '..', '..', 'support', 'terminal-parent.ts');
  const parent = await start(process.execPath, [script, path.join(await temporaryDirectory(t), 'spoken')]);
  let text = '';
  for await (const chunk of parent.stdout as Readable) text += String(chunk);
  const group = parent.pid;
  assert.equal(text, `child in group ${group}\nchild ended by SIGTERM\n`);
  assert.equal((await parent.finished).exitCode, 0);
});

test('what is to outlive us must have a log file', async () => {
  await assert.rejects(start('true', [], { outlive: true }), /'outlive' needs 'logFile'/);
});

test('the tail of stderr can be read while the process runs', async () => {
  const child = await start('sh', ['-c', 'echo "ready on port 1" >&2; sleep 600']);
  await waitFor('the message', () => child.stderrTail() === 'ready on port 1');
  await child.stop();
});

test('an ended process is told from another one that has its number', async () => {
  const child = await start('sleep', ['600']);
  const { pid, startTime } = child.identity;
  const [boot, ticks] = startTime.split('/');
  assert.equal(await isAlive(pid, `${boot}/${Number(ticks) + 1}`), false);
  assert.equal(await stopByPid({ pid, startTime: `${boot}/1` }), 'absent');
  assert.equal(await isAlive(pid, startTime), true, 'a stranger with the number must be left alone');
  assert.equal(await stopByPid({ pid, startTime }), 'stopped');
  assert.equal(await stopByPid({ pid, startTime }), 'absent');
  assert.equal((await child.finished).signal, 'SIGTERM');
});

test('stopByPid kills what does not listen, with its group when asked', async () => {
  const script = "trap '' TERM; sh -c 'trap \"\" TERM; echo $$; while :; do sleep 0.1; done'";
  const child = await start('sh', ['-c', script]);
  const inner = Number(await new Promise((resolve) => child.stdout?.once('data', resolve)));
  assert.equal(await stopByPid(child.identity, { graceMs: 100, group: true }), 'stopped');
  assert.equal((await child.finished).signal, 'SIGKILL');
  await waitFor('the inner process to end', async () => (await identify(inner)) === undefined);
});

test('a zombie is not alive', async () => {
  const child = await start('sh', ['-c', 'exec 3<&0; (read line <&3) & echo $!; exec sleep 600']);
  const zombie = Number(await new Promise((resolve) => child.stdout?.once('data', resolve)));
  // A shell may ask after its children; what it has become does not.
  const program = () => readFile(`/proc/${child.identity.pid}/comm`, 'utf8');
  await waitFor('the shell to become another program', async () => (await program()) === 'sleep\n');
  child.stdin?.end();
  await waitFor('the zombie', async () => {
    const status = await readFile(`/proc/${zombie}/status`, 'utf8').catch(() => '');
    return status.includes('State:\tZ');
  });
  assert.equal(await identify(zombie), undefined);
  await child.stop();
});

test('stopByPid ends one that leads no group, and nobody else of the group that it is in', async (t) => {
  const lines = path.join(await temporaryDirectory(t), 'pid');
  const leader = await start('sh', ['-c', `sleep 600 & echo $! > ${lines}; wait; exec sleep 600`]);
  t.after(() => leader.stop({ signal: 'SIGKILL' }).then(() => undefined));
  await waitFor('its child', async () => (await readFile(lines, 'utf8').catch(() => '')).endsWith('\n'));
  const child = await identify(Number(await readFile(lines, 'utf8')));
  assert.ok(child);
  assert.equal(await stopByPid(child, { group: true }), 'stopped');
  assert.ok(await isAlive(leader.identity.pid, leader.identity.startTime));
});
