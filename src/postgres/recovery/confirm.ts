// Ends a restore for good: removes the old directory that was kept for a rollback, by its exact, proven path.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { requireConfirmable } from '../../domain/end-refused.ts';
import { fail } from '../../errors/index.ts';
import { readControlData } from './control-data.ts';
import { exists, renameDurably } from './durable-files.ts';
import { proveReplaced } from './exchange.ts';
import { type Guard, Journal, type JournalHead } from './journal.ts';
import { removePlaces } from './linked-places.ts';
import { keptDirectory, markerFile, restorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { underLock } from './under-lock.ts';

export interface ConfirmResult {
  readonly dataDirectory: string;
  readonly removed?: string;
}

/** From the journal alone. Idempotent. Throws `JOURNAL_STATE` unless the swap was finished, and `DATABASE_IDENTITY` on any doubt. */
export async function confirmRestore(dataDirectory: string, run: string, given: Guard): Promise<ConfirmResult> {
  const paths = restorePaths(dataDirectory, run);
  return underLock(paths, given, async (guard) => {
    const journal = await Journal.open(paths, guard);
    const { head, phase } = journal;
    requireConfirmable({ run, component: head.component, phase, at: journal.lastAt });
    if (!['swapped', 'confirming', 'confirmed'].includes(phase)) {
      fail('JOURNAL_STATE', `run '${run}' is ${phase}: only a finished swap can be confirmed`);
    }
    const { keepOldAt, production } = head;
    const hasOld = production !== undefined && keepOldAt !== undefined;
    if (phase !== 'confirmed') {
      await guard.check?.();
      if (!journal.is('confirm', 'begin')) {
        // On any doubt it is refused before it is announced, so that a rollback stays possible.
        if (hasOld) await proveKept(head, keepOldAt);
        await proveReplaced(journal);
        await journal.append('confirm', 'begin');
      }
      if (hasOld) {
        await journal.step('name for removal', () => nameForRemoval(head, keepOldAt));
        await journal.step('remove old', () => removeOld(keepOldAt));
      }
      await removePlaces(head.execution.linked);
      await rm(path.join(dataDirectory, markerFile), { force: true });
      await rm(paths.work, { recursive: true, force: true, maxRetries: 3 });
      await journal.append('confirm', 'done');
    }
    return { dataDirectory, ...(hasOld ? { removed: keepOldAt } : {}) };
  });
}

async function proveKept(head: JournalHead, keepOldAt: string): Promise<void> {
  if (!keepOldAt.startsWith(keptDirectory(head.dataDirectory, '')))
    fail('INTERNAL', `'${keepOldAt}' is not where old data is kept`);
  if (!(await exists(path.join(head.dataDirectory, markerFile)))) {
    fail('JOURNAL_STATE', `'${head.dataDirectory}' is not what run '${head.run}' put there`);
  }
  const { systemId } = await readControlData(head.execution.binDirectory, keepOldAt);
  if (systemId !== head.production?.systemId || (await exists(path.join(keepOldAt, markerFile)))) {
    fail('DATABASE_IDENTITY', `'${keepOldAt}' is not the directory that was replaced`);
  }
  if ((await findPostmaster(keepOldAt)) !== undefined) fail('DATABASE_IDENTITY', `a server runs on '${keepOldAt}'`);
}

/** The new name says what it is for, and that its identity was proven before anything in it was removed. */
async function nameForRemoval(head: JournalHead, keepOldAt: string): Promise<undefined> {
  const removing = `${keepOldAt}.removing`;
  if (!(await exists(keepOldAt)) && (await exists(removing))) return undefined;
  await proveKept(head, keepOldAt);
  await renameDurably(keepOldAt, removing);
  return undefined;
}

async function removeOld(keepOldAt: string): Promise<undefined> {
  await rm(`${keepOldAt}.removing`, { recursive: true, force: true, maxRetries: 3 });
  return undefined;
}
