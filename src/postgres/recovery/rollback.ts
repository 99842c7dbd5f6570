// Undoes a restore in place, newest step first, by looking at what is there; also finishes an undo that was cut short.

import { rm } from 'node:fs/promises';
import path from 'node:path';
import { requireWayBack } from '../../domain/end-refused.ts';
import { fail } from '../../errors/index.ts';
import { readControlData } from './control-data.ts';
import { exists, readIfThere } from './durable-files.ts';
import { isBegun, takeBack } from './exchange.ts';
import { type Guard, Journal, type JournalHead } from './journal.ts';
import { removePlaces } from './linked-places.ts';
import { markerFile, restorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { isFilled } from './recovered-place.ts';
import { stopServer } from './recovery-server.ts';
import { releaseService, startService, stopService } from './service.ts';
import { underLock } from './under-lock.ts';

export interface RollbackResult {
  readonly dataDirectory: string;
  /** The recovered directory that was taken out of production again; clients may have written to it, so it is kept. */
  readonly setAsideAt?: string;
  /** Whether production's server was started again: only when it ran before. */
  readonly started: boolean;
}

/**
 * From the journal alone. Idempotent. Throws `JOURNAL_STATE` once the restore was confirmed, and when the directories are not
 * as any step can have left them.
 */
export async function rollbackRestore(dataDirectory: string, run: string, given: Guard): Promise<RollbackResult> {
  const paths = restorePaths(dataDirectory, run);
  return underLock(paths, given, async (guard) => {
    const journal = await Journal.open(paths, guard);
    const { head, phase } = journal;
    requireWayBack({ run, component: head.component, phase, at: journal.lastAt });
    if (phase === 'finished') {
      fail('JOURNAL_STATE', `run '${run}' restored beside production: there is nothing to roll back`, {
        hint: `\`holdfast stop ${run}\` ends the server that it left; its directory is yours to remove`,
      });
    }
    if (phase !== 'rolled back' && phase !== 'abandoned') {
      await guard.check?.();
      if (!journal.is('rollback', 'begin')) await journal.append('rollback', 'begin');
      await undo(journal, guard);
      await journal.append('rollback', 'done');
    }
    const setAside = journal.has('start') && (await isFilled(paths));
    const started = journal.has('stop production') && head.production?.running === true;
    return { dataDirectory, started, ...(setAside ? { setAsideAt: paths.data } : {}) };
  });
}

async function undo(journal: Journal, guard: Guard): Promise<void> {
  const { head, paths } = journal;
  const { binDirectory, runAs } = head.execution;
  if (await exists(paths.data)) {
    await stopServer({ binDirectory, dataDirectory: paths.data, ...(runAs === undefined ? {} : { runAs }) });
  }
  // Nothing of production was touched, and nobody but us has written into what was recovered.
  if (!journal.has('swap')) {
    await removePlaces(head.execution.linked);
    return rm(paths.work, { recursive: true, force: true, maxRetries: 3 });
  }
  if (!journal.has('stop production')) return;
  await refuseForeign(head);
  // What a rollback of an earlier version wrote last, which has no line of the next step.
  if (journal.is('stop production', 'undone')) return;
  // Once: what runs again under production's names is production, which writes and replaces its own files.
  await journal.step('take back', async () => {
    if (await isBegun(journal)) await stopService(head);
    await takeBack(
      journal,
      async () => guard.check?.(),
      () => proveOld(head),
    );
    return undefined;
  });
  if (head.production?.running !== true) return releaseService(head);
  await startService(head);
  await journal.append('stop production', 'undone');
}

/** By the marker: the recovered directory has it, the old one never has. */
async function refuseForeign({ dataDirectory, run }: JournalHead): Promise<void> {
  const marker = await readIfThere(path.join(dataDirectory, markerFile));
  const owner = marker === undefined ? run : (JSON.parse(marker) as { run?: string }).run;
  if (owner === run) return;
  fail('JOURNAL_STATE', `'${dataDirectory}' belongs to the restore '${owner}'`, { hint: 'roll that one back first' });
}

/** Under whichever of its two names it is; its own parts are proved one by one. */
async function proveOld({ dataDirectory, keepOldAt, production, execution }: JournalHead): Promise<void> {
  if (production === undefined || keepOldAt === undefined) return;
  const isKept = await exists(path.join(keepOldAt, 'global', 'pg_control'));
  const old = isKept ? keepOldAt : dataDirectory;
  if (!isKept && !(await exists(path.join(old, 'global', 'pg_control')))) {
    fail('STUCK', `neither '${dataDirectory}' nor '${keepOldAt}' holds the old cluster`, {
      hint: 'look for the directory by hand',
    });
  }
  const { systemId } = await readControlData(execution.binDirectory, old);
  if (systemId !== production.systemId)
    fail('DATABASE_IDENTITY', `'${old}' is cluster ${systemId}, not ${production.systemId}`);
  if (isKept && (await findPostmaster(keepOldAt)) !== undefined)
    fail('DATABASE_IDENTITY', `a server runs on '${keepOldAt}'`, { hint: 'stop it first' });
}
