// Activities on the vault alone: reading a snapshot again from every copy, bringing a copy up to the others.

import { toHoldfastError } from '../src/errors/index.ts';
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
          copies[name] = state === 'present' ? await readAgain(opened, snapshot as SnapshotId, name) : unread(state);
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

/** Packs were confirmed by the store before the manifest was put; here the manifest and the whole tree are decrypted again. */
async function readAgain(vault: Vault, id: SnapshotId, copy: string): Promise<'good' | 'damaged' | 'not checked'> {
  try {
    const reader = await vault.openSnapshot(id, copy);
    let files = 0;
    for await (const entry of reader.entries()) if (entry.type === 'file') files += 1;
    return files > 0 ? 'good' : 'damaged';
  } catch (error) {
    return toHoldfastError(error).retryable ? 'not checked' : 'damaged';
  }
}
