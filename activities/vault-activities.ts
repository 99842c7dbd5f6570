// Activities on the vault alone: reading a snapshot again from every copy, bringing a copy up to the others.

import { stateDirectoryOf } from '../config/index.ts';
import type { ComponentId } from '../src/domain/component.ts';
import { putBackFinding } from '../src/domain/put-back-words.ts';
import { bytesText } from '../src/domain/size.ts';
import { fromErrorData, isHoldfastError } from '../src/errors/index.ts';
import { verifyComponents } from '../src/host/integrity.ts';
import { observeHeads } from '../src/host/put-back.ts';
import { retentionRequest } from '../src/host/retention.ts';
import type { SnapshotId, Vault } from '../src/vault/index.ts';
import type { RetentionRun, VaultActivities, VerifiedSnapshot } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import type { HostServices } from './lib/host-services.ts';

export function createVaultActivities(services: HostServices): VaultActivities {
  const { frame, vault, configuration, host } = services;
  const retaining = async (request: RetentionRun, signal: AbortSignal) => {
    const opened = await vault();
    return { vault: opened, asked: await retentionRequest(opened, configuration, { ...request, host, signal }) };
  };
  return {
    lockHeld: () =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'looking at the locks of what is held' });
        return await (await vault()).retention.lockHeld({ signal });
      }),

    planRetention: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'reading what every copy holds' });
        const { vault: opened, asked } = await retaining(request, signal);
        const { digest, refused } = await opened.retention.plan(asked);
        if (refused !== undefined) throw fromErrorData(refused);
        return { digest };
      }),

    sweepRetention: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'deleting what is due, after reading everything again' });
        const { vault: opened, asked } = await retaining(request, signal);
        return await opened.retention.sweep(asked);
      }),

    markRetention: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'naming what is not needed' });
        const { vault: opened, asked } = await retaining(request, signal);
        return await opened.retention.mark(asked);
      }),

    verifyIntegrity: ({ run, startedAt, ...scope }) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: 'reading what the copies list' });
        return await verifyComponents(await vault(), configuration, scope, {
          ...{ run, startedAt, signal },
          onProgress: ({ copy, objects, bytes }) =>
            report({ note: `${copy}: ${objects} objects, ${bytesText(bytes)}` }),
        });
      }),

    verifySnapshot: ({ component, snapshot }) =>
      runActivity(frame, async ({ report }) => {
        const opened = await vault();
        const listed = await opened.findSnapshot(component, snapshot as SnapshotId);
        const copies: Record<string, VerifiedSnapshot['copies'][string]> = {};
        for (const { name } of opened.copies) {
          report({ note: `reading ${snapshot} again from ${name}` });
          const state = listed?.copies[name];
          copies[name] =
            state === 'present' ? await readAgain(opened, component, snapshot as SnapshotId, name) : unread(state);
        }
        const { putBack } = await observeHeads(opened, stateDirectoryOf(configuration, host));
        const words = putBack.map((each) => putBackFinding(each).message);
        return { level: 'listed', copies, ...(words.length === 0 ? {} : { putBack: words }) };
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
