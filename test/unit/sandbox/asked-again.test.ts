// What is asked of a sandbox that is there, and cannot be had any more, is said.

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { type Asked, settleAsked } from '../../../src/sandbox/asked-again.ts';
import type { Sandbox } from '../../../src/sandbox/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('another major version is refused; files and a worker that are as they are, are told', async (t) => {
  const directory = await temporaryDirectory(t);
  const worker = { pid: 4711, startTime: 'then' };
  const sandbox = { state: 'ready', directory, postgres: { major: 18 }, pids: { worker } } as unknown as Sandbox;
  const told = async (asked: Asked, of = sandbox) => {
    const texts: string[] = [];
    await settleAsked(of, { ...asked, onProgress: (text) => texts.push(text) });
    return texts;
  };
  await assert.rejects(told({ postgres: 15 }), (error) => {
    assert.ok(isHoldfastError(error, 'USAGE'));
    assert.equal(error.message, `the sandbox in '${directory}' has PostgreSQL 18, not 15`);
    return error.hint.startsWith("leave '--postgres' out");
  });
  assert.deepEqual(await told({ postgres: 18, worker: true, files: false }), []);
  assert.deepEqual(await told({ files: true, worker: false }), [
    'no folder of files is protected: that is settled when a sandbox is made',
    'the worker stays: it ends with the sandbox',
  ]);
  assert.deepEqual(await told({ worker: false }, { ...sandbox, state: 'stopped', pids: {} }), []);
  await mkdir(path.join(directory, 'statements'));
  assert.deepEqual(await told({ files: true }), []);
});
