// Threads that do jobs: whoever ends one hears that it has ended, whichever work has it by then.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Worker } from 'node:worker_threads';
import { JobThreads } from '../../../src/vault/workers/job-threads.ts';
import { target } from '../../support/restore-files.ts';

const threads = new Set<Worker>();
process.on('worker', (worker) => threads.add(worker));

it('who ends an idle thread hears its end when other work takes it meanwhile, and that work goes on', async () => {
  const root = { directory: await target(), session: '1', mark: '00000001' };
  const job = { kind: 'keep', root, files: [] } as const;
  const first = new JobThreads(1);
  await first.run<'keep'>(job);
  await first.close();
  const second = new JobThreads(1);
  const ended = Promise.all([...threads].map((thread) => thread.terminate()));
  await assert.rejects(second.run<'keep'>(job), { message: 'a reading thread ended' });
  assert.deepEqual(await second.run<'keep'>(job), { kept: [] });
  await ended;
  await second.close();
});
