// A test file that hangs after one of its tests has timed out is ended, and no other process is.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../../../src/process/index.ts';
import { waitFor } from '../../support/wait-for.ts';

const script = path.resolve(import.meta.dirname, '../../../scripts/test/end-hung-file.mjs');
const { endHungFile } = (await import(script)) as {
  endHungFile(file: string, graceMs: number): Promise<number[]>;
};

test('the process of the file is killed once its hooks have had their time, and no other', async () => {
  const [hung, other] = ['test/hung.test.ts', 'test/other.test.ts'];
  const program = ['-e', "process.on('SIGTERM', () => {}); setInterval(() => console.log('here'), 100)"];
  const [first, second] = await Promise.all(
    [hung, other].map((file) => start(process.execPath, [...program, path.resolve(file)])),
  );
  assert.ok(first && second);
  try {
    for (const child of [first, second]) assert.ok(child.stdout && (await once(child.stdout, 'data')));
    assert.deepEqual(await endHungFile(hung, 50), [first.pid]);
    const { signal } = await first.finished;
    assert.equal(signal, 'SIGKILL');
    assert.deepEqual(await endHungFile(hung, 50), []);
    await waitFor('the other to go on', async () => second.stdout && (await once(second.stdout, 'data')));
  } finally {
    await Promise.all([first, second].map((child) => child.stop({ signal: 'SIGKILL' })));
  }
});
