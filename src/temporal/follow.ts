// Following a run to its end: told whenever something changed, through the death of workers and short outages of the server.

import { setTimeout as sleep } from 'node:timers/promises';
import type { WorkflowExecutionDescription } from '@temporalio/client';
import type { RunHandle } from '../domain/client.ts';
import type { RunStatus } from '../domain/operations.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import { type Connected, calling } from './connection.ts';
import type { RunBook } from './run-book.ts';
import { closedStatus, outline } from './run-status.ts';

const pauseMs = 700;
/** A run nobody answers for is told as such at once, and given up by the follower (it goes on by itself) after this long. */
const patienceMs = 15 * 60_000;

/** Rejects with `CANCELLED` when `signal` is aborted, `NO_WORKER` or `TEMPORAL_UNREACHABLE` when nobody answered for a quarter of an hour. */
export async function follow(
  connected: Connected,
  book: RunBook,
  handle: RunHandle,
  onStatus: (status: RunStatus) => void,
  signal?: AbortSignal,
): Promise<RunStatus> {
  let told = '';
  let answeredAt = Date.now();
  const tell = (status: RunStatus) => {
    const text = JSON.stringify(status);
    if (text === told) return;
    told = text;
    onStatus(status);
  };
  for (;;) {
    if (signal?.aborted) fail('CANCELLED', `stopped following '${handle.runId}'; it goes on`);
    const seen = await look(connected, book, handle.runId, () => Date.now() - answeredAt < patienceMs);
    if (seen?.ended !== undefined) {
      tell(seen.ended);
      return seen.ended;
    }
    if (seen?.live !== undefined) answeredAt = Date.now();
    if (seen !== undefined) tell(seen.live ?? outline(seen.found));
    if (Date.now() - answeredAt > patienceMs)
      fail('NO_WORKER', `no worker answers for '${handle.runId}'; it goes on when one does`);
    await sleep(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => undefined);
  }
}

interface Seen {
  readonly found: WorkflowExecutionDescription;
  readonly live?: RunStatus | undefined;
  readonly ended?: RunStatus;
}

/** `undefined` while the server itself cannot be reached. */
async function look(
  connected: Connected,
  book: RunBook,
  run: string,
  mayWait: () => boolean,
): Promise<Seen | undefined> {
  try {
    return await calling(connected.address, async () => {
      const found = await book.require(run);
      if (found.status.name === 'CONTINUED_AS_NEW') return { found };
      if (found.status.name !== 'RUNNING') return { found, ended: await closedStatus(connected.client, found) };
      return { found, live: await book.live(found) };
    });
  } catch (error) {
    if (isHoldfastError(error, 'TEMPORAL_UNREACHABLE') && mayWait()) return undefined;
    throw error;
  }
}
