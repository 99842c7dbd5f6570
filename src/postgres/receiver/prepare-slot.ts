// The slot as `setup` makes it: only where no log can be missing because of it; otherwise it is left to the receiver, which names the loss.

import type { Logger } from 'pino';
import { type Lsn, lsnFrom } from '../../domain/lsn.ts';
import type { Vault } from '../../vault/types.ts';
import { openReplication } from '../connection/index.ts';
import type { Source } from '../types.ts';
import { positionOf, survey } from './beginning.ts';
import { comparePositions } from './route.ts';
import { viewServer } from './server-view.ts';
import { dropSlot, ensureSlot, readSlot } from './slot.ts';
import { keeps } from './slot-guard.ts';

export type PreparedSlot =
  /** It was there; or the vault holds no log of this server yet, and it was made. */
  | { readonly state: 'present' | 'made'; readonly restartLsn: Lsn }
  /** It was gone and was made again: the vault has everything up to `durable`, which is not before `restartLsn`. */
  | { readonly state: 'remade'; readonly restartLsn: Lsn; readonly durable: Lsn }
  /** It is gone, and log may be missing: the receiver makes it again and says what. `durable` absent: too few copies say what they have. */
  | { readonly state: 'left'; readonly durable?: Lsn };

/** Throws `SLOT_LOST` when the slot is there but its log is gone, `SLOT_BUSY`, and the errors of connecting. */
export async function prepareSlot(
  source: Source,
  slot: string,
  vault: Pick<Vault, 'log' | 'copies' | 'policy'>,
  logger: Logger,
): Promise<PreparedSlot> {
  const before = await readSlot(source, slot);
  // What keeps log is as it should be; what has lost it is refused by `ensureSlot`.
  if (keeps(before) || before?.state === 'lost') return { state: 'present', restartLsn: await make(source, slot) };
  const server = await serverOf(source, slot);
  const { component } = source;
  const { copies, policy } = vault;
  const { durable, isNew } = await survey({ component, vault, copies, policy, logger }, server);
  if (isNew) return { state: 'made', restartLsn: await make(source, slot) };
  if (durable === undefined) return { state: 'left' };
  const restartLsn = await make(source, slot);
  const known = { durable: lsnFrom(durable.at) };
  if (comparePositions(positionOf(server.history, restartLsn), durable) <= 0) {
    return { state: 'remade', restartLsn, ...known };
  }
  // With a slot that keeps log again the receiver might begin there, as if nothing had been before.
  await dropSlot(source, slot);
  return { state: 'left', ...known };
}

async function make(source: Source, slot: string): Promise<Lsn> {
  return (await ensureSlot(source, slot, { immediatelyReserve: true })).restartLsn;
}

async function serverOf(source: Source, slot: string) {
  const connection = await openReplication(source, { slot });
  try {
    return await viewServer(connection, undefined);
  } finally {
    connection.close();
  }
}
