// Whether what the running server has is on the disk once it has stopped: a rollback into the stopped server brings back nothing else.

import { fail } from '../../errors/index.ts';
import { type RedisConnection, ServerReply } from '../connection/index.ts';
import type { ServerIdentity } from '../identity.ts';

/** Gives what could not be asked, in words. Throws `TARGET_UNFIT` for a server that has changes in memory alone and saves nothing when it stops. */
export async function requireKeptAtStop(
  connection: RedisConnection,
  { isAppendOnly, unsavedChanges }: ServerIdentity,
): Promise<readonly string[]> {
  if (isAppendOnly || unsavedChanges === 0) return [];
  const changes = `${unsavedChanges ?? 'an untold number of'} change${unsavedChanges === 1 ? '' : 's'} since its last save`;
  const reply = await connection.ask('tell whether it saves when it stops', 'CONFIG', 'GET', 'save');
  if (reply instanceof ServerReply || !Array.isArray(reply)) {
    return [
      `our user may not ask whether the server saves when it stops ('config|get'), and it has ${changes}: where its 'save' is empty they are lost, and a rollback does not bring them back`,
    ];
  }
  if (String(reply[1] ?? '') !== '') return [];
  return fail(
    'TARGET_UNFIT',
    `'${connection.where}' has ${changes} and saves nothing when it stops ('save ""', 'appendonly no'): they would be lost, and a rollback would not bring them back`,
    {
      hint: '`redis-cli CONFIG SET save "3600 1"` on that server has them saved when it stops; or restore with `--live`, which keeps them',
    },
  );
}
