// How a restore in place ends: what was there comes back, or is removed for good. Either may be asked for again, and is answered with what happened.

import { readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { syncFileSystemOf } from '../../system/index.ts';
import { Telling } from '../told.ts';
import type { Brought, BroughtLists } from './brought.ts';
import type { Change } from './change.ts';
import { type DoneAt, standsStill } from './file-system-clock.ts';
import { type Held, whileHeld } from './hold.ts';
import { RunJournal } from './journal.ts';
import { readList, requireList } from './list.ts';
import { Mounts } from './mounts.ts';
import { pass } from './pass.ts';
import { openHome, openRun, type RunPlace } from './place.ts';
import { removeTrees } from './remove-tree.ts';
import { sift, writtenIn } from './sift.ts';
import { withTrees } from './trees.ts';
import type { EndOptions, EndResult, Lacking } from './types.ts';
import { takeBack } from './undo.ts';

const NOTHING = { count: 0, first: [] };

/**
 * Resolves when the root is what it was before, on the disk; of a run that never began to exchange its stage alone is taken away. What others wrote into what came in, or put where something
 * was taken away, is kept and named in the answer. May be called again after it was killed, and when it is done. Throws `NOT_FOUND` for a run that this root does not know, `JOURNAL_STATE` for one that was
 * confirmed, `LOCKED`, `FENCED`, and `TARGET_UNFIT` when something is in the way: called again, it goes on.
 */
export async function rollbackInPlace(options: EndOptions): Promise<EndResult> {
  return await ended(options, rollBack);
}

/** That it is rolled back is in the journal of this root, and nothing else is done: it is not confirmed any more. Throws as `rollbackInPlace`. */
export async function beginRollback(options: EndOptions): Promise<void> {
  await whileOpen(options, async (place, journal) => {
    requireNotConfirmed(place, journal);
    await journal.begin('rollback');
  });
}

/** What was kept is removed: there is no way back from then on. May be called again. Throws as `rollbackInPlace`; `JOURNAL_STATE` for a run whose exchange is not done, or that was rolled back. */
export async function confirmInPlace(options: EndOptions): Promise<EndResult> {
  return await ended(options, confirm);
}

type End = (place: RunPlace, journal: RunJournal, held: Held) => Promise<void>;

async function ended(options: EndOptions, end: End): Promise<EndResult> {
  return await whileOpen(options, async (place, journal, held) => {
    await end(place, journal, held);
    await clear(place, journal, held);
    return resultOf(place, journal);
  });
}

async function whileOpen<T>(
  { root, run, guard = {} }: EndOptions,
  work: (place: RunPlace, journal: RunJournal, held: Held) => Promise<T>,
): Promise<T> {
  const home = await openHome(root, { makes: false });
  if (!home) return unknownRun(root, run);
  try {
    return await whileHeld(home, guard, async (held) => {
      const place = await openRun(home, run, { makes: false });
      if (!place) return unknownRun(root, run);
      try {
        const journal = await RunJournal.open(place);
        journal.writeAs(guard.token, run, held.check);
        return await work(place, journal, held);
      } finally {
        place.close();
      }
    });
  } finally {
    home.close();
  }
}

function unknownRun(root: string, run: string): never {
  return fail('NOT_FOUND', `no restore '${run}' has begun in '${root}'`, {
    hint: '`holdfast history` tells which runs there were, and of what',
  });
}

async function rollBack(place: RunPlace, journal: RunJournal, held: Held): Promise<void> {
  requireNotConfirmed(place, journal);
  await journal.step('rollback', async () => {
    const lacking = new Telling<Lacking>();
    if (journal.hasBegun('exchange')) await undo(place, journal, held, lacking);
    return { lacking: lacking.told };
  });
}

function requireNotConfirmed(place: RunPlace, journal: RunJournal): void {
  if (journal.phase.startsWith('confirm')) refuse(place, journal, 'what was there before is gone');
}

async function undo(place: RunPlace, journal: RunJournal, held: Held, lacking: Telling<Lacking>): Promise<void> {
  const { exchange, brought } = journal.dataOf('stage') as unknown as BroughtLists;
  const { doneNs, doneAt: at } = (journal.dataOf('exchange') ?? {}) as Partial<DoneAt>;
  const { check } = held;
  const isKnown = doneNs !== undefined && !standsStill({ at });
  const hooks = { check, doneNs: isKnown ? BigInt(doneNs) : undefined };
  const { rootHandle } = place.home;
  await requireList(place.exchange, exchange);
  await requireList(place.brought, brought);
  await withTrees(place, async (trees) => {
    await pass(
      trees,
      () => readList<Change>(place.exchange, exchange),
      { act: (all, change) => takeBack(all, change, hooks), wanted: 'before', rootHandle, directory: place.directory },
      {
        check,
        onLacking: (name, what, code) => lacking.add({ path: name, what, code }),
        onChangedSince: () => {},
      },
    );
    await sift(place, trees, readList<Brought>(place.brought, brought), hooks);
  });
  await syncFileSystemOf(rootHandle);
}

async function confirm(place: RunPlace, journal: RunJournal): Promise<void> {
  const { phase } = journal;
  if (phase.startsWith('roll')) refuse(place, journal, 'there is nothing to confirm');
  if (phase !== 'exchanged' && !phase.startsWith('confirm')) refuse(place, journal, 'it has to be done first');
  await requireNoMount(place);
  // From here on there is no way back: that it was asked for is on the disk before anything is removed.
  await journal.step('confirm', () => Promise.resolve({ lacking: NOTHING }));
}

function refuse({ run, home }: RunPlace, { phase, lastAt }: RunJournal, why: string): never {
  fail(
    'JOURNAL_STATE',
    `the restore '${run}' of '${home.root}' is ${phase}${lastAt === undefined ? '' : ` (${lastAt})`}: ${why}`,
  );
}

/** The journal stays, and what others wrote. */
async function clear(place: RunPlace, journal: RunJournal, held: Held): Promise<void> {
  if (journal.isDone('clear')) return;
  await requireNoMount(place);
  await journal.step('clear', async () => {
    const written = await writtenIn(place);
    await removeTrees(place, written.count === 0 ? ['new', 'old', 'written'] : ['new', 'old'], held.check);
    for (const file of [place.changes, place.exchange, place.brought, ...clocksIn(place)])
      await rm(file, { force: true });
    return written.count === 0 ? undefined : { written };
  });
}

/** Of comparisons that were killed. */
function clocksIn({ directory }: RunPlace): readonly string[] {
  const names = readdirSync(directory).filter((name) => name.startsWith('clock'));
  return names.map((name) => `${directory}/${name}`);
}

async function requireNoMount({ home, run, shown }: RunPlace): Promise<void> {
  const point = (await Mounts.below(home.root)).within(path.relative(home.root, shown));
  if (point === undefined) return;
  fail('TARGET_UNFIT', `'${shownPath(path.join(home.root, point))}' is a mount in what the restore '${run}' keeps`, {
    hint: 'what is mounted is not ours to remove: unmount it, then try again',
  });
}

function resultOf({ shown }: RunPlace, journal: RunJournal): EndResult {
  const phase = journal.phase === 'confirmed' ? 'confirmed' : 'rolled back';
  const step = phase === 'confirmed' ? 'confirm' : 'rollback';
  const files = journal.dataOf('clear')?.written as NonNullable<EndResult['written']>['files'] | undefined;
  const lacking = (journal.dataOf(step)?.lacking ?? NOTHING) as EndResult['lacking'];
  const at = journal.doneAt(step) ?? '';
  return { phase, at, lacking, ...(files && { written: { directory: path.join(shown, 'written'), files } }) };
}
