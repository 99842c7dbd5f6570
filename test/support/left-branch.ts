// Takes a server back to where it was, so that it goes on along a timeline of its own, and what it did since is a branch that was left.

import { rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run } from '../../src/process/index.ts';
import { giveToServer, type ScratchPostgres } from './scratch-postgres.ts';
import { waitFor } from './wait-for.ts';

/** Remembers the cluster as it is now; what is given takes it back here, by nothing but the server's own means. */
export async function rememberCluster({ query, ...server }: ScratchPostgres): Promise<() => Promise<void>> {
  const { dataDirectory, directory } = server;
  const cold = path.join(directory, 'cold');
  // A recovery must have a command; whatever it asks for is not there.
  await query("alter system set restore_command = 'false'");
  await server.stop();
  await run('cp', ['-a', dataDirectory, cold]);
  await server.start();
  return async () => {
    await server.stop();
    await rm(dataDirectory, { recursive: true });
    await rename(cold, dataDirectory);
    const signal = path.join(dataDirectory, 'recovery.signal');
    await writeFile(signal, '');
    await giveToServer(signal);
    await server.start();
    await waitFor('the end of recovery', async () => {
      const [row] = await query('select pg_is_in_recovery()::text as is');
      return row?.is === 'false';
    });
  };
}
