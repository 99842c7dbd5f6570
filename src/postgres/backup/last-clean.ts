// Where what is damaged now can be had from: the newest base backup of before it was seen.

import type { ComponentId } from '../../domain/component.ts';
import { shortMoment } from '../../domain/moment.ts';
import type { Vault } from '../../vault/types.ts';

/** In words, to follow "have it back, …". */
export async function lastCleanWords(vault: Vault, component: ComponentId): Promise<string> {
  const snapshots = await vault.listSnapshots(component);
  const clean = snapshots.find(({ kind, state }) => kind === 'physical' && state === 'clean');
  if (clean === undefined) return 'from a dump or a standby: the vault has no clean base backup';
  return `from clean snapshot ${clean.id}: holdfast restore ${component} --to ${shortMoment(clean.to)} --beside DIR --start`;
}
