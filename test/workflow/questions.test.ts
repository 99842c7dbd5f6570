// A question that reads whole trees: it goes on as long as somebody says that the answer is wanted, and is cancelled when nobody does.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { CancelledFailure, Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';
import { Worker } from '@temporalio/worker';
import type { Configuration } from '../../config/index.ts';
import { taskQueues } from '../../src/domain/ids.ts';
import type { RunStatus } from '../../src/domain/operations.ts';
import type { HoldfastError } from '../../src/errors/index.ts';
import { askHosts, type Questioner } from '../../src/temporal/ask-hosts.ts';
import { runWorkerGroup } from '../../src/temporal/worker-group.ts';
import { requireHostWorker } from '../../src/temporal/workers-present.ts';
import { waitFor } from '../support/wait-for.ts';
import { script } from './support/scripted-activities.ts';
import { sharedEnvironment, startEstate } from './support/workflow-environment.ts';

const shared = sharedEnvironment();

/** Finds nothing until it is cancelled, or told to end. */
function slowFinding() {
  const seen = { begun: 0, cancelled: 0 };
  const end = new AbortController();
  const scripted = script({
    findFiles: async () => {
      seen.begun++;
      const { cancellationSignal, heartbeat } = Context.current();
      const beat = setInterval(() => heartbeat(), 200);
      try {
        await sleep(600_000, undefined, { signal: AbortSignal.any([cancellationSignal, end.signal]) }).catch(() => {});
      } finally {
        clearInterval(beat);
      }
      if (!cancellationSignal.aborted) return { paths: [] };
      seen.cancelled++;
      throw new CancelledFailure('nobody asks any more');
    },
  });
  return { seen, end, scripted };
}

function questioner(name: string, asking: NonNullable<Questioner['asking']>) {
  const closing = new AbortController();
  const leaving: Promise<unknown>[] = [];
  const { client, connection } = shared.env;
  const questions = {
    ...{ client, connection, namespace: 'default', address: '' },
    configuration: { name } as Configuration,
    newId: () => `${name}/ask/1`,
    closing: closing.signal,
    onLeaving: (done: Promise<unknown>) => void leaving.push(done),
    asking,
  } as unknown as Questioner;
  return { closing, leaving, questions };
}

const request = { host: 'db1', component: 'files/uploads', wanted: '*.pdf' };

test('a question of which nobody hears any more is cancelled on its host, and one that is asked for goes on', async () => {
  const { seen, end, scripted } = slowFinding();
  const estate = await startEstate(shared, scripted.activities);
  try {
    // As after a SIGKILL of whoever asked: nothing more is said.
    const silent = await shared.env.client.workflow.start('findFiles', {
      taskQueue: `${estate.name}/control`,
      workflowId: `${estate.name}/ask/silent`,
      args: [request, { heardWithinSeconds: 5 }],
    });
    await assert.rejects(silent.result(), (error: Error & { cause?: { type?: string } }) => {
      assert.equal(error.cause?.type, 'CANCELLED');
      return true;
    });
    assert.deepEqual(seen, { begun: 1, cancelled: 1 });

    const { questions } = questioner(estate.name, { sayEveryMs: 300, heardWithinSeconds: 10 });
    const asked = askHosts<{ paths: unknown[] }>(questions, 'findFiles', 'db1', request);
    await waitFor('the question to begin', () => seen.begun === 2);
    // Longer than it would live without a word.
    await sleep(12_000);
    assert.equal(seen.cancelled, 1);
    end.abort();
    assert.deepEqual(await asked, { paths: [] });
  } finally {
    end.abort();
    await estate.stop();
  }
});

test('questions that read whole trees are two at a time, and no recovery waits behind them', async () => {
  const { seen, end, scripted } = slowFinding();
  const estate = await startEstate(shared, scripted.activities);
  try {
    const { client } = shared.env;
    const taskQueue = `${estate.name}/control`;
    const asked = Array.from({ length: 6 }, (_, at) =>
      client.workflow.start('findFiles', {
        ...{ taskQueue, workflowId: `${estate.name}/ask/${at}`, args: [request, { heardWithinSeconds: 3_600 }] },
      }),
    );
    const questions = await Promise.all(asked);
    await waitFor('two questions to begin', () => seen.begun === 2);
    const of = { estate: estate.name, component: 'files/uploads', host: 'db1' };
    const restore = await estate.start('restoreFiles', `${estate.name}/restore/files/uploads`, {
      ...of,
      to: 'latest',
      approval: 'never',
    });
    assert.equal(((await restore.result()) as RunStatus).state, 'completed');
    const ended = { ...of, run: 'restore-00000000' };
    const rollback = await estate.start('rollbackRestore', `${estate.name}/rollback/restore-00000000`, ended);
    assert.equal(((await rollback.result()) as RunStatus).state, 'completed');
    assert.deepEqual(seen, { begun: 2, cancelled: 0 });
    for (const each of questions) await each.cancel();
    await Promise.allSettled(questions.map((each) => each.result()));
  } finally {
    end.abort();
    await estate.stop();
  }
});

test('a worker of a version that does not know the queue is named at once, and answers what it can', async () => {
  const name = `t${randomUUID().slice(0, 8)}`;
  const { scripted } = slowFinding();
  const { nativeConnection: connection } = shared.env;
  const activities = { ...scripted.activities, askSnapshots: async () => [] };
  const on = (taskQueue: string, more = {}) => Worker.create({ connection, taskQueue, activities, ...more });
  // As before there were questions with places of their own.
  const workers = await Promise.all([
    on(taskQueues.control(name), { workflowBundle: shared.bundle }),
    ...(['ship', 'work', 'recover'] as const).map((kind) => on(taskQueues[kind](name, 'db1'))),
  ]);
  const stop = new AbortController();
  const ended = runWorkerGroup(workers, stop.signal);
  try {
    const { questions } = questioner(name, { sayEveryMs: 300, heardWithinSeconds: 4 });
    const ask = () => askHosts<unknown>(questions, 'describeEstate', 'db1', { host: 'db1', question: 'snapshots' });
    // A worker that has only just begun is not known yet.
    assert.deepEqual(await waitFor('an answer', () => ask().catch(() => undefined)), []);
    await assert.rejects(askHosts(questions, 'findFiles', 'db1', request), (error: HoldfastError) => {
      assert.equal(error.code, 'NO_WORKER');
      assert.match(error.message, /the worker of host 'db1' does not listen on '.*\/db1\/survey'/);
      assert.match(error.hint, /earlier version/);
      return true;
    });
  } finally {
    stop.abort();
    await ended;
  }
});

test('a worker that does not know the component which was found here has another configuration', async () => {
  const unknown = script({
    findFiles: async () => {
      const message = "no component 'files/uploads' is configured";
      throw ApplicationFailure.create({ type: 'UNKNOWN_COMPONENT', message, nonRetryable: true });
    },
  });
  const estate = await startEstate(shared, unknown.activities);
  try {
    const { questions } = questioner(estate.name, { sayEveryMs: 300, heardWithinSeconds: 60 });
    await assert.rejects(askHosts(questions, 'findFiles', 'db1', request), (error: HoldfastError) => {
      assert.equal(error.code, 'CONFIG_MISMATCH');
      assert.match(error.message, /^the worker of host 'db1' has another configuration: no component 'files\/uploads'/);
      assert.match(error.hint, /^restart the worker/);
      return true;
    });
  } finally {
    await estate.stop();
  }
});

test('a worker that has just ended and is still known is missed, and the question begins by no surprise later', async () => {
  const { seen, scripted } = slowFinding();
  const estate = await startEstate(shared, scripted.activities);
  await estate.stop();
  const { questions } = questioner(estate.name, { sayEveryMs: 300, heardWithinSeconds: 3_600 });
  const listening = { lookEveryMs: 300, missedForMs: 1_000, heardWithinMs: 5_000 };
  await assert.rejects(askHosts({ ...questions, listening }, 'findFiles', 'db1', request), (error: HoldfastError) => {
    assert.equal(error.code, 'NO_WORKER');
    assert.match(error.message, /^the worker stopped while it was asked: no worker listens on '/);
    return true;
  });
  const { status } = await shared.env.client.workflow.getHandle(`${estate.name}/ask/1`).describe();
  assert.equal(status.name, 'TERMINATED');
  assert.equal(seen.begun, 0);
});

test('whoever leaves takes the question along at once', async () => {
  const { seen, end, scripted } = slowFinding();
  const estate = await startEstate(shared, scripted.activities);
  try {
    const { questions, closing, leaving } = questioner(estate.name, { sayEveryMs: 30_000, heardWithinSeconds: 3_600 });
    const asked = askHosts(questions, 'findFiles', 'db1', request).then(
      () => 'answered',
      () => 'not answered',
    );
    await waitFor('the question to begin', () => seen.begun === 1);
    closing.abort();
    await Promise.all(leaving);
    assert.equal(leaving.length, 1);
    assert.equal(await asked, 'not answered');
    assert.equal(seen.cancelled, 1);
  } finally {
    end.abort();
    await estate.stop();
  }
});

for (const [full, asking] of [
  ['survey', 'ship'],
  ['ship', 'recover'],
] as const) {
  test(`one of this version whose places for ${full} are all taken asks for nothing there, and is waited for`, async () => {
    const name = `t${randomUUID().slice(0, 8)}`;
    const { client, nativeConnection: connection } = shared.env;
    const taskQueue = taskQueues[asking](name, 'db1');
    const identity = `1@${name}#0123abcd`;
    const worker = await Worker.create({ connection, taskQueue, identity, activities: { look: async () => 'there' } });
    const stop = new AbortController();
    const ended = runWorkerGroup([worker], stop.signal);
    try {
      const reachable = { client, connection: shared.env.connection, namespace: 'default' };
      const asked = { estate: name, host: 'db1', queue: taskQueues.survey(name, 'db1') };
      await waitFor('the worker to be known', async () => {
        const refused = await requireHostWorker(reachable, asked).then(
          () => undefined,
          (error: HoldfastError) => error,
        );
        if (refused !== undefined) assert.match(refused.message, /no worker listens on '.*\/db1\/ship'/);
        return refused === undefined;
      });
    } finally {
      stop.abort();
      await ended;
    }
  });
}
