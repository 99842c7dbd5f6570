// The frame of a question: asks the host, and turns whatever goes wrong into a typed failure.

import {
  ApplicationFailure,
  CancellationScope,
  condition,
  defineSignal,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';
import { type Asker, messages } from '../../src/domain/operations.ts';
import { errorData } from './failure.ts';
import { estateOfQueue } from './progress.ts';
import { type HostCalls, hostCalls } from './proxies.ts';

export async function answer<T>(host: string, ask: (calls: HostCalls, run: string) => Promise<T>): Promise<T> {
  try {
    const run = `plan-${workflowInfo().firstExecutionRunId.slice(-8)}`;
    return await ask(
      hostCalls(estateOfQueue(), host, () => undefined),
      run,
    );
  } catch (error) {
    const data = errorData(error);
    throw ApplicationFailure.create({ type: data.code, message: data.message, nonRetryable: true, details: [data] });
  }
}

const stillAsked = defineSignal(messages.stillAsked);

/** The same for what may take hours: it is cancelled once `asker` is not heard of any more, whatever became of him. */
export async function answerWhileAsked<T>(
  host: string,
  asker: Asker | undefined,
  ask: (calls: HostCalls, run: string) => Promise<T>,
): Promise<T> {
  if (asker === undefined) return await answer(host, ask);
  let heard = 0;
  setHandler(stillAsked, () => {
    heard++;
  });
  const scope = new CancellationScope();
  let isOver = false;
  const watch = async () => {
    for (let known = heard; !isOver; known = heard) {
      const isHeard = await condition(() => isOver || heard > known, asker.heardWithinSeconds * 1000);
      if (!isHeard) scope.cancel();
      if (!isHeard) return;
    }
  };
  // A cancellation of the whole question ends the watch too, and is told by the question itself.
  watch().catch(() => undefined);
  try {
    return await answer(host, (calls, run) => scope.run(() => ask(calls, run)));
  } finally {
    isOver = true;
  }
}
