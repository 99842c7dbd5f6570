// Whether a server is still the replica that an attempt of ours made of it, and making it a primary again: never one that somebody else attached.

import { fail } from '../../errors/index.ts';
import type { RedisConnection } from '../connection/index.ts';
import { type Info, readInfo } from '../identity.ts';

/** Where we answer as its primary. */
export interface ServedAt {
  readonly host: string;
  readonly port: number;
}

/** Undefined: it is a primary. */
export function primaryIn(info: Info): ServedAt | undefined {
  if (info.get('role') !== 'slave') return undefined;
  return { host: info.get('master_host') ?? '', port: Number(info.get('master_port')) };
}

/**
 * True when it was our replica, and takes no writes as one: nobody has written to it since. False when clients may have written: it takes them, or is a
 * primary, because somebody made it one, it was started anew, or we had come that far. Throws `REDIS_UNFIT` for a replica of somebody else, and leaves that alone,
 * and `RECOVERY_FAILED` when it does not become one.
 */
export async function endOurReplication(connection: RedisConnection, ours: readonly ServedAt[]): Promise<boolean> {
  const info = await readInfo(connection);
  const primary = primaryIn(info);
  if (primary === undefined) return false;
  if (!isOneOf(ours, primary)) {
    fail('REDIS_UNFIT', `'${connection.where}' is a replica of ${primary.host}:${primary.port} by now, not of us`, {
      hint: 'somebody has decided that since: what it had lies beside the journal; to go on, make it a primary first (REPLICAOF NO ONE)',
    });
  }
  await connection.call('be a primary again', 'REPLICAOF', 'NO', 'ONE');
  const takesNoWrites = info.get('slave_read_only') === '1';
  if (primaryIn(await readInfo(connection)) === undefined) return takesNoWrites;
  return fail('RECOVERY_FAILED', `'${connection.where}' did not become a primary again`);
}

function isOneOf(served: readonly ServedAt[], { host, port }: ServedAt): boolean {
  return served.some((each) => each.host === host && each.port === port);
}
