// Lost slots as the vault remembers them, so that a loss that nobody was told of outlives the worker that saw it.

import type { ComponentId } from '../../domain/component.ts';
import type { Vault } from '../../vault/types.ts';
import type { LogHole } from '../types.ts';

export interface SlotLoss {
  /** The same for the same hole, however often it is seen; also the record's name. */
  readonly id: string;
  /** When it was seen first, ISO 8601. */
  readonly at: string;
  readonly hole?: LogHole | undefined;
}

interface Kept {
  readonly hole?: LogHole;
  readonly at?: string;
}

const runOf = (component: ComponentId) => `log-${component.replace('/', '-')}`;
const dashed = (lsn: string) => lsn.replace('/', '-');

export function slotLoss(hole: LogHole | undefined, now = new Date()): SlotLoss {
  const at = now.toISOString();
  if (hole === undefined) return { id: `remade-${at.replaceAll(/[-:.]/g, '')}`, at };
  return { id: `hole-${hole.timeline}-${dashed(hole.fromLsn)}-${dashed(hole.toLsn)}`, at, hole };
}

/** A loss that is recorded already stays as it was seen first. */
export async function keepLoss(
  vault: Pick<Vault, 'putRecord' | 'listRecords'>,
  component: ComponentId,
  slot: string,
  { id, at, hole }: SlotLoss,
): Promise<void> {
  const known = await vault.listRecords(runOf(component));
  if (known.some(({ name }) => name === id)) return;
  await vault.putRecord(runOf(component), id, { slot, at, ...(hole === undefined ? {} : { hole }) });
}

/** `undefined` when none was ever recorded. Throws what the vault throws: then it is not known. */
export async function latestLoss(
  vault: Pick<Vault, 'getRecord' | 'listRecords'>,
  component: ComponentId,
): Promise<SlotLoss | undefined> {
  const run = runOf(component);
  let latest: SlotLoss | undefined;
  for (const { name: id, storedAt } of await vault.listRecords(run)) {
    const { hole, at = storedAt.toISOString() } = (await vault.getRecord(run, id)) as Kept;
    if (latest === undefined || at >= latest.at) latest = { id, at, hole };
  }
  return latest;
}
