// Undoes a restore in place, newest step first, by looking at what is there; also finishes an undo that was cut short.

import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { readControlData } from './control-data.ts';
import { exists, renameDurably } from './durable-files.ts';
import { type Guard, Journal, type JournalHead } from './journal.ts';
import { markerFile, restorePaths } from './paths.ts';
import { findPostmaster } from './postmaster.ts';
import { stopServer } from './recovery-server.ts';
import { startService, stopService } from './service.ts';
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
    if (phase === 'confirming' || phase === 'confirmed') {
      fail('JOURNAL_STATE', `run '${run}' is ${phase}: the old data is not kept any more`, {
        hint: 'restore again, to a moment before',
      });
    }
    if (phase === 'finished')
      fail('JOURNAL_STATE', `run '${run}' restored beside production: there is nothing to roll back`);
    if (phase !== 'rolled back' && phase !== 'abandoned') {
      await guard.check?.();
      if (!journal.is('rollback', 'begin')) await journal.append('rollback', 'begin');
      await undo(journal, guard);
      await journal.append('rollback', 'done');
    }
    const setAside = journal.has('start') && (await exists(paths.data));
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
  if (!journal.has('swap')) return rm(paths.work, { recursive: true, force: true, maxRetries: 3 });
  if (!journal.has('stop production')) return;
  if ((await whatIsAt(head)) === 'new') {
    await stopService(head);
    await guard.check?.();
    if (await exists(paths.data)) fail('JOURNAL_STATE', `'${paths.data}' exists, and so does what was made from it`);
    await renameDurably(head.dataDirectory, paths.data);
    await journal.append('move new', 'undone');
  }
  await putOldBack(journal);
  if (head.production?.running !== true) return;
  await startService(head);
  await journal.append('stop production', 'undone');
}

/** By the marker: the recovered directory has it, the old one never has. */
async function whatIsAt({ dataDirectory, run }: JournalHead): Promise<'old' | 'new' | 'nothing'> {
  if (!(await exists(dataDirectory))) return 'nothing';
  const marker = path.join(dataDirectory, markerFile);
  if (!(await exists(marker))) return 'old';
  const owner = JSON.parse(await readFile(marker, 'utf8')) as { run?: string };
  if (owner.run === run) return 'new';
  return fail('JOURNAL_STATE', `'${dataDirectory}' belongs to the restore '${owner.run}'`, {
    hint: 'roll that one back first',
  });
}

async function putOldBack(journal: Journal): Promise<void> {
  const { head } = journal;
  const { dataDirectory, keepOldAt, production, execution } = head;
  if (production === undefined || keepOldAt === undefined) return;
  const [isKept, isBack] = [await exists(keepOldAt), await exists(dataDirectory)];
  if (isKept && isBack) fail('JOURNAL_STATE', `'${keepOldAt}' exists, and so does '${dataDirectory}'`);
  if (!isKept && !isBack)
    fail('STUCK', `neither '${dataDirectory}' nor '${keepOldAt}' exists`, { hint: 'look for the directory by hand' });
  const old = isKept ? keepOldAt : dataDirectory;
  const { systemId } = await readControlData(execution.binDirectory, old);
  if (systemId !== production.systemId)
    fail('DATABASE_IDENTITY', `'${old}' is cluster ${systemId}, not ${production.systemId}`);
  if (!isKept) return;
  if ((await findPostmaster(keepOldAt)) !== undefined)
    fail('DATABASE_IDENTITY', `a server runs on '${keepOldAt}'`, { hint: 'stop it first' });
  await renameDurably(keepOldAt, dataDirectory);
  await journal.append('keep old', 'undone');
}
