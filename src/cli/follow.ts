// Waiting for a run with live progress; the first interrupt stops the watching, never the run.

import type { HoldfastClient, RunHandle } from '../domain/client.ts';
import type { RunStatus } from '../domain/operations.ts';
import { isHoldfastError } from '../errors/index.ts';
import type { Context } from './context.ts';
import { makeProgress } from './render/progress.ts';
import type { Outcome } from './result.ts';
import { runOutcome } from './run-result.ts';

/** With `--detach` the outcome is that it was started; otherwise its end, or its state when the person stopped watching. */
export async function followOrDetach(context: Context, client: HoldfastClient, handle: RunHandle): Promise<Outcome> {
  if (context.options.detach) return runOutcome(await client.status(handle.runId), handle);
  const status = await follow(context, client, handle);
  return { ...runOutcome(status, handle), followed: true };
}

async function follow(context: Context, client: HoldfastClient, handle: RunHandle): Promise<RunStatus> {
  const progress = makeProgress(context.io);
  const stop = new AbortController();
  const removeHandler = context.io.onInterrupt(() => stop.abort());
  context.note(`${handle.runId}${handle.url === undefined ? '' : `  ${handle.url}`}`);
  let latest: RunStatus | undefined;
  let waitingShown = false;
  try {
    return await client.follow(
      handle,
      (status) => {
        latest = status;
        progress.show(status);
        if (status.state === 'waiting' && !waitingShown) {
          waitingShown = true;
          progress.end();
          context.note(`waits for approval: holdfast show ${handle.runId}, then holdfast approve ${handle.runId}`);
        }
      },
      stop.signal,
    );
  } catch (error) {
    if (!stop.signal.aborted || !isHoldfastError(error, 'CANCELLED')) throw error;
    progress.end();
    context.note(
      `the run goes on: 'holdfast show ${handle.runId}' tells where it is, 'holdfast cancel ${handle.runId}' stops and undoes it`,
    );
    return latest ?? (await client.status(handle.runId));
  } finally {
    removeHandler();
    progress.end();
  }
}
