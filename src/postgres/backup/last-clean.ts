// Where what is damaged now can be had from: the newest base backup of before it was seen.

import type { ComponentId } from '../../domain/component.ts';
import { shortMoment } from '../../domain/moment.ts';
import type { Vault } from '../../vault/types.ts';
import type { CleanBackup } from './damage-hint.ts';

export async function lastClean(vault: Vault, component: ComponentId): Promise<CleanBackup | undefined> {
  const snapshots = await vault.listSnapshots(component);
  const clean = snapshots.find(({ kind, state }) => kind === 'physical' && state === 'clean');
  return clean && { component, snapshot: clean.id, to: shortMoment(clean.to) };
}
