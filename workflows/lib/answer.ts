// The frame of a question: asks the host, and turns whatever goes wrong into a typed failure.

import { ApplicationFailure, workflowInfo } from '@temporalio/workflow';
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
