// Activities on the vault alone: reading a snapshot again from every copy, bringing a copy up to the others.

import type { ComponentId } from '../src/domain/component.ts';
import { isHoldfastError } from '../src/errors/index.ts';
import type { SnapshotId, Vault } from '../src/vault/index.ts';
import type { VaultActivities, VerifiedSnapshot } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import type { HostServices } from './lib/host-services.ts';

export function createVaultActivities({ frame, vault }: HostServices): VaultActivities {
  return {
    verifySnapshot: ({ component, snapshot }) =>
      runActivity(frame, async ({ report }) => {
        const opened = await vault();
        const listed = (await opened.listSnapshots(component)).find(({ id }) => id === snapshot);
        const copies: Record<string, VerifiedSnapshot['copies'][string]> = {};
        for (const { name } of opened.copies) {
          report({ note: `reading ${snapshot} again from ${name}` });
          const state = listed?.copies[name];
          copies[name] =
            state === 'present' ? await readAgain(opened, component, snapshot as SnapshotId, name) : unread(state);
        }
        return { level: 'listed', copies };
      }),

    catchUpCopy: ({ copy }) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: `waiting for ${copy}` });
        return await (await vault()).catchUp(copy, {
          signal,
          onProgress: ({ objects, remaining }) => report({ note: `${objects} objects copied, ${remaining} to go` }),
        });
      }),
  };
}

function unread(state: 'absent' | 'away' | undefined): 'missing' | 'not checked' {
  return state === 'absent' ? 'missing' : 'not checked';
}

/** Each copy by itself: what another one could stand in for is not good here. */
async function readAgain(
  vault: Vault,
  component: ComponentId,
  id: SnapshotId,
  copy: string,
): Promise<'good' | 'damaged' | 'missing' | 'not checked'> {
  try {
    await vault.verifyCopy(component, id, copy);
    return 'good';
  } catch (error) {
    if (isHoldfastError(error, 'OBJECT_MISSING')) return 'missing';
    return isHoldfastError(error, 'OBJECT_DAMAGED', 'VAULT_FORMAT') ? 'damaged' : 'not checked';
  }
}
