// The keepers of append-only files on the hosts of this worker: they live as long as it, and need no Temporal.

import type { Logger } from 'pino';
import type { Configuration } from '../../config/index.ts';
import { keepRoom, runKeeper } from '../redis/index.ts';

/** One for each component whose append-only files are captured. Resolves when all have ended, which is when the signal says so. */
export async function runKeepers(
  { redis }: Configuration,
  hosts: readonly string[],
  { logger, signal }: { readonly logger: Logger; readonly signal: AbortSignal },
): Promise<void> {
  const own = Object.values(redis).filter(({ host, backup }) => hosts.includes(host) && backup.aof !== undefined);
  await Promise.all(
    own.map(async ({ id, dataDirectory = '', files }) => {
      const place = { dataDirectory, appendDirectory: files.appendDirectory, appendFile: files.append };
      const onTrouble = (error: unknown) =>
        logger.warn(
          { component: id, reason: String(error) },
          'append-only files are not kept: a rewrite may leave a gap',
        );
      const afterLook = async (presentId: string) => {
        for (const { why, ...lost } of await keepRoom(place, presentId))
          logger.warn({ component: id, ...lost }, `append-only files that no capture has taken were lost: ${why}`);
      };
      await runKeeper(place, { signal, onTrouble, afterLook });
    }),
  );
}
