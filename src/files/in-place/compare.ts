// A root that was given back in place, looked at once more: what this run brought and left must be what the snapshot holds; what others changed since is told.

import { fail } from '../../errors/index.ts';
import type { Told } from '../types.ts';
import { AsGiven } from './as-given.ts';
import type { BroughtLists } from './brought.ts';
import { ComparisonWalk, type WalkResult } from './comparison-walk.ts';
import {
  afterNow,
  type DoneAt,
  type ExchangedFrom,
  grainOf,
  type ListedFrom,
  type Reading,
  STILL,
} from './file-system-clock.ts';
import { RunJournal } from './journal.ts';
import { comparing } from './options.ts';
import { openHome, openPart, openRun, type RunPlace } from './place.ts';
import { type Bounds, boundsOf, isAlike, NOTHING_KNOWN, type Noted, setBackWords } from './set-back.ts';
import type { InPlaceOptions, InPlaceResult, Lacking } from './types.ts';
import { Judge } from './whose.ts';

export interface CompareInPlaceOptions extends InPlaceOptions {
  readonly run: string;
}

export interface ComparedInPlace extends WalkResult {
  /** For people, a sentence each. */
  readonly warnings: readonly string[];
}

/**
 * Names, types, links, sizes, modes, owners, times and attributes of everything that is wanted, the bytes of all that came in, and what is there
 * beside. Changes nothing. Throws `JOURNAL_STATE` for a run whose exchange is not done, or that has ended, `TARGET_UNFIT` where something may not be looked at, and what the vault says.
 */
export async function compareInPlace(options: CompareInPlaceOptions): Promise<ComparedInPlace> {
  const home = await openHome(options.root, { makes: false });
  const place = home && (await openRun(home, options.run, { makes: false }));
  try {
    const journal = place && (await RunJournal.open(place));
    if (!place || journal?.phase !== 'exchanged') {
      fail('JOURNAL_STATE', `the restore '${options.run}' of '${options.root}' is ${journal?.phase ?? 'not there'}`, {
        hint: 'only what was exchanged, and has not ended, can be compared',
      });
    }
    return await compared(place, options, journal);
  } finally {
    place?.close();
    home?.close();
  }
}

type ListedBefore = ListedFrom & Pick<InPlaceResult, 'leftAlone'>;

type Exchanged = Partial<ExchangedFrom> & DoneAt & { readonly lacking: Told<Lacking> };

/** A clock that is set back again and again is not believed any more. */
const MOST_WALKS = 3;

/** Once more where the clock was set back meanwhile: what others changed in that time was taken for the run's. */
async function compared(
  place: RunPlace,
  options: CompareInPlaceOptions,
  journal: RunJournal,
): Promise<ComparedInPlace> {
  const noted = notedIn(journal);
  const seen: Reading[] = [await clockOf(place)];
  for (;;) {
    const bounds = seen.length > MOST_WALKS ? NOTHING_KNOWN : boundsOf(noted, seen);
    const result = await walked(place, options, journal, bounds);
    seen.push(await clockOf(place));
    if (bounds !== NOTHING_KNOWN && !isAlike(bounds, boundsOf(noted, seen))) continue;
    const words = setBackWords(place.home.root, noted, bounds);
    return { ...result, warnings: words === undefined ? [] : [words] };
  }
}

/** A journal of an earlier version does not say all of it; then whatever it does not name may be others' doing. */
function notedIn(journal: RunJournal): Noted {
  const { beganNs = 0, beganAt } = (journal.dataOf('list') ?? {}) as ListedFrom;
  const { fromNs = 0, fromAt, doneNs, doneAt } = journal.dataOf('exchange') as unknown as Exchanged;
  return {
    began: { ns: BigInt(beganNs), at: beganAt },
    from: { ns: BigInt(fromNs), at: fromAt },
    done: { ns: BigInt(doneNs), at: doneAt },
  };
}

/** Where it cannot be asked any more (a full disk, one that became read-only), nothing is known of it. */
async function clockOf(place: RunPlace): Promise<Reading> {
  // A comparison holds no lock: another attempt may be at it.
  return await afterNow(place, `clock-${process.pid}`).catch(() => ({ ns: 0n, at: STILL }));
}

async function walked(
  place: RunPlace,
  options: CompareInPlaceOptions,
  journal: RunJournal,
  bounds: Bounds,
): Promise<WalkResult> {
  const listed = journal.dataOf('list') as unknown as ListedBefore;
  const staged = journal.dataOf('stage') as unknown as BroughtLists & { readonly lacking: Told<Lacking> };
  const { lacking, fromNs, isResumed } = journal.dataOf('exchange') as unknown as Exchanged;
  const { root } = place.home;
  const all = comparing(options, root);
  const { top, givesOwners } = all.changes;
  const judge = new Judge({
    ...{ root, staged: openPart(place, 'new'), shown: place.shown, ...bounds },
    given: new AsGiven({ top, lacking: [staged.lacking, lacking], givesOwners, grainNs: grainOf(listed) }),
    isResumed: isResumed ?? fromNs === undefined,
  });
  try {
    return await new ComparisonWalk({
      place,
      lists: staged,
      comparing: all,
      judge,
      listed,
      signal: options.signal,
    }).run();
  } finally {
    judge.close();
  }
}
