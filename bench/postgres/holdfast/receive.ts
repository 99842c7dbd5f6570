// The receiver of the log, as a worker runs it, until it is told to stop; writes down when which position became durable.

import { appendFileSync } from 'node:fs';
import { createReceivers } from '../../../src/temporal/receivers.ts';
import { HOST, logger, type Operation, withVault } from './operation.ts';

const lookMs = 10;

/** The position is what the commit policy calls durable: its object is synced in the only copy. */
export const receive: Operation = async ({ configuration, database, arrivals }) =>
  await withVault(configuration, 'backup', async (vault) => {
    const stop = new AbortController();
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => stop.abort());
    const receivers = createReceivers({
      ...{ configuration, host: HOST, vault: async () => vault, logger, signal: stop.signal },
    });
    let last: string | undefined;
    const look = setInterval(() => {
      const { durableLsn } = receivers.state(database.id) ?? {};
      if (durableLsn === undefined || durableLsn === last) return;
      last = durableLsn;
      appendFileSync(arrivals, `${performance.timeOrigin + performance.now()} ${durableLsn}\n`);
    }, lookMs);
    await receivers.ensure(database.id, stop.signal);
    await new Promise<void>((resolve) => stop.signal.addEventListener('abort', () => resolve(), { once: true }));
    clearInterval(look);
    await receivers.stop();
  });
