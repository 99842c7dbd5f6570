// A root made what a snapshot holds of it, in place: list, stage, exchange, each by the journal, so that it goes on from wherever it was cut off.

import { closeSync } from 'node:fs';
import { shownPath } from '../../domain/path-text.ts';
import { bytesText } from '../../domain/size.ts';
import { fail } from '../../errors/index.ts';
import { syncFileSystemOf } from '../../system/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { writeTree } from '../restore/write-tree.ts';
import { Telling } from '../told.ts';
import type { Told } from '../types.ts';
import { AsGiven } from './as-given.ts';
import { type BroughtLists, comingNames, covered, foundIn, listBrought } from './brought.ts';
import { belowTop, type Change, joined, typeOf } from './change.ts';
import { changesOf } from './changes.ts';
import { bringIn } from './exchange.ts';
import {
  type DoneAt,
  doneAt,
  type ExchangedFrom,
  exchangedFrom,
  grainOf,
  type ListedFrom,
  listedFrom,
} from './file-system-clock.ts';
import { type Held, requireRunning, whileHeld } from './hold.ts';
import { RunJournal } from './journal.ts';
import { type Listed, readList, requireList, writeList } from './list.ts';
import { Mounts } from './mounts.ts';
import { type Comparing, comparing, counting, sha256Of } from './options.ts';
import { pass } from './pass.ts';
import { type Home, openHome, openPart, openRun, type RunPlace } from './place.ts';
import { availableBytes, neededBytes, planInPlace, summed, warningsOf } from './plan.ts';
import { requireOnlyRun } from './runs.ts';
import { Sums } from './sums.ts';
import { keptAt, withTrees } from './trees.ts';
import type { ExecuteOptions, InPlaceResult, Lacking } from './types.ts';

/** What the journal keeps of a list: all that a later attempt tells of it. */
type ListData = Listed &
  ListedFrom &
  Pick<InPlaceResult, 'counts' | 'leftAlone' | 'warnings'> & { readonly neededBytes: number };
type StageData = BroughtLists & Pick<InPlaceResult, 'lacking'>;
type ExchangeData = Pick<InPlaceResult, 'lacking' | 'changedSince'> & DoneAt;

/**
 * Resolves when the root is what the snapshot holds, on the disk, and what it was is kept. May be called again after it was killed, by the same
 * run with the same snapshot, and resolves with the same result once it is done.
 *
 * Throws `TARGET_UNFIT` (see `planInPlace`; also when somebody puts something in the way meanwhile), `PLAN_CHANGED`, `NO_SPACE`, `LOCKED`, `FENCED` (a newer attempt has written, or lock or
 * lease are lost), `JOURNAL_STATE` (the run was rolled back or confirmed), `CANCELLED`, and what the vault says. After any error but these of another holder
 * `rollbackInPlace` takes back whatever was done; before the exchange nothing was.
 */
export async function restoreInPlace(options: ExecuteOptions): Promise<InPlaceResult> {
  await requirePlanned(options);
  const home = await openHome(options.root, { makes: true });
  if (!home) return fail('TARGET_UNFIT', `'${options.root}' went away`);
  try {
    return await whileHeld(home, options.guard ?? {}, async (held) => await restoreHeld(home, options, held));
  } finally {
    home.close();
  }
}

/** By the digest that was shown, as long as nothing was listed: from then on the list is what holds. */
async function requirePlanned(options: ExecuteOptions): Promise<void> {
  if (options.digest === undefined || (await isListed(options))) return;
  const { digest } = await planInPlace(options);
  if (digest === options.digest) return;
  fail('PLAN_CHANGED', `what would be changed in '${options.root}' is no longer what was shown`, {
    hint: 'somebody writes into the tree: look at the new plan and start again; nothing was touched',
  });
}

async function isListed({ root, run }: ExecuteOptions): Promise<boolean> {
  const home = await openHome(root, { makes: false });
  const place = home && (await openRun(home, run, { makes: false }));
  try {
    return place !== undefined && (await RunJournal.open(place)).isDone('list');
  } finally {
    place?.close();
    home?.close();
  }
}

async function restoreHeld(home: Home, options: ExecuteOptions, held: Held): Promise<InPlaceResult> {
  await requireOnlyRun(home.root, options.run);
  const place = await openRun(home, options.run, { makes: true });
  if (!place) return fail('TARGET_UNFIT', `'${home.shown}' went away`);
  try {
    return await new Restore(place, options, held).run(await RunJournal.open(place));
  } finally {
    place.close();
  }
}

class Restore {
  readonly #place: RunPlace;
  readonly #options: ExecuteOptions;
  readonly #held: Held;
  readonly #compared: Comparing;

  constructor(place: RunPlace, options: ExecuteOptions, held: Held) {
    this.#place = place;
    this.#options = options;
    this.#held = held;
    this.#compared = comparing(options, place.home.root);
  }

  async run(journal: RunJournal): Promise<InPlaceResult> {
    const { run, guard, reader, restore } = this.#options;
    const snapshot = reader.snapshot.id;
    requireOpen(journal, this.#place);
    journal.writeAs(guard?.token, run, this.#held.check);
    await this.#check();
    const of = { snapshot, ...(restore && { restore }) };
    await journal.step('list', async () => ({ ...(await this.#list()), ...of }), of);
    const listed = journal.dataOf('list') as unknown as ListData & { readonly snapshot: string };
    if (listed.snapshot !== snapshot)
      fail('PLAN_CHANGED', `the run '${run}' gives back '${listed.snapshot}', not '${snapshot}'`);
    await requireList(this.#place.changes, listed);
    if (!journal.isDone('stage')) await this.#requireSpace(listed);
    await journal.step('stage', async () => ({ ...(await this.#stage(listed)) }));
    const staged = journal.dataOf('stage') as unknown as StageData;
    await requireList(this.#place.exchange, staged.exchange);
    const from = await this.#exchangedFrom(journal);
    const grainNs = grainOf(listed);
    await journal.step('exchange', async () => ({ ...(await this.#exchange(staged, grainNs)), ...from }), { ...from });
    const exchanged = journal.dataOf('exchange') as unknown as ExchangeData;
    const { counts, leftAlone, warnings } = listed;
    const { changedSince } = exchanged;
    const lacking = together(staged.lacking, exchanged.lacking);
    return { counts, kept: keptAt(this.#place), lacking, changedSince, leftAlone, warnings };
  }

  async #check(): Promise<void> {
    requireRunning(this.#options.signal);
    await this.#held.check();
  }

  async #list(): Promise<ListData> {
    const { changes, words } = this.#compared;
    const sums = new Sums();
    const from = await listedFrom(this.#place);
    const found = changesOf({ ...counting(this.#compared), hash: sha256Of });
    const listed = await writeList(this.#place.changes, summed(found, sums, this.#options.signal));
    const warnings = warningsOf({ ...this.#compared, changes }, sums, this.#place.home.root);
    const told = { counts: sums.counts, leftAlone: words.leftAlone.told, warnings };
    return { ...listed, ...from, ...told, neededBytes: neededBytes(sums) };
  }

  /** Less what an earlier attempt has staged. */
  async #requireSpace({ neededBytes: needed }: ListData): Promise<void> {
    const { root } = this.#place.home;
    let there = 0;
    for await (const { type, sizeBytes } of foundIn(this.#place, 'new')) if (type === 'file') there += sizeBytes;
    const free = await availableBytes(root);
    const lacks = needed - there - free;
    if (lacks <= 0) return;
    fail(
      'NO_SPACE',
      `the restore of '${root}' needs ${bytesText(needed - there)}, and ${bytesText(free)} are free there`,
      {
        hint: `what is there is kept until it is confirmed: make room for ${bytesText(lacks)} more, or restore beside; nothing was exchanged`,
        details: { neededBytes: needed - there, availableBytes: free },
      },
    );
  }

  async #stage(listed: ListData): Promise<StageData> {
    const { reader, root, signal, onProgress } = this.#options;
    const handle = openPart(this.#place, 'new');
    try {
      const written = await writeTree({
        reader: {
          snapshot: { ...reader.snapshot, engine: { ...reader.snapshot.engine, roots: [root] } },
          entries: () => this.#comingIn(listed),
          restoreFiles: (files, restoring) => reader.restoreFiles(files, restoring),
        },
        directory: `/proc/self/fd/${handle}`,
        top: root,
        signal: AbortSignal.any([signal, this.#held.lost]),
        ...(onProgress && { onProgress }),
      });
      const { top, givesOwners } = this.#compared.changes;
      const { lacking } = written;
      const notKept = new Telling<Lacking>();
      const given = new AsGiven({ top, lacking: [lacking], givesOwners, grainNs: grainOf(listed) });
      const entries = () => this.#comingBelow(listed);
      const onNotKept = (each: Lacking) => notKept.add(each);
      const lists = await listBrought(this.#place, listed, { top, entries, given, onNotKept });
      return { ...lists, lacking: together(lacking, notKept.told) };
    } finally {
      closeSync(handle);
    }
  }

  /** Entries of what is created or replaced, with all that is below. */
  async *#comingIn(listed: Listed): AsyncGenerator<TreeEntry> {
    const { top } = this.#compared.changes;
    const names = comingNames(readList<Change>(this.#place.changes, listed));
    for await (const { each } of covered(this.#compared.changes.entries(), asEntries(names, top))) yield each;
  }

  async *#comingBelow(listed: Listed): AsyncGenerator<TreeEntry> {
    const { top } = this.#compared.changes;
    for await (const entry of this.#comingIn(listed)) yield { ...entry, path: belowTop(entry.path, top) };
  }

  /** Since the list was made, hours may have gone by. */
  async #requireWhole(below: string): Promise<void> {
    const { top, takes, neverCaptured } = this.#compared.changes;
    const point = (await Mounts.below(this.#place.home.root)).within(below);
    if (point !== undefined) refuseWhole(below, point);
    for await (const { path, found, held } of this.#compared.presentBelow(below)) {
      const isOurs = found && !held && takes({ path, type: typeOf(found) }) && !neverCaptured.has(path);
      if (!isOurs) refuseWhole(below, belowTop(path, top));
    }
  }

  async #exchangedFrom(journal: RunJournal): Promise<ExchangedFrom> {
    if (!journal.hasBegun('exchange')) return await exchangedFrom(this.#place);
    const { fromNs = '0', fromAt } = (journal.dataOf('exchange') ?? {}) as Partial<ExchangedFrom>;
    return { fromNs, ...(fromAt && { fromAt }), isResumed: true };
  }

  async #exchange({ exchange }: StageData, grainNs: bigint): Promise<ExchangeData> {
    const lacking = new Telling<Lacking>();
    const changedSince = new Telling<string>();
    const check = () => this.#check();
    const requireWhole = (path: string) => this.#requireWhole(path);
    const { directory, home } = this.#place;
    const { rootHandle } = home;
    await check();
    await withTrees(this.#place, async (trees) => {
      // A way that somebody has put something in since the list is found before anything is touched.
      for await (const { path } of readList<Change>(this.#place.exchange, exchange))
        if (path !== '') trees.root.find(path);
      await pass(
        trees,
        () => readList<Change>(this.#place.exchange, exchange),
        { act: (all, change) => bringIn(all, change, { check, requireWhole }), wanted: 'after', rootHandle, directory },
        {
          check,
          onLacking: (path, what, code) => lacking.add({ path, what, code }),
          onChangedSince: (path) => changedSince.add(path),
          grainNs,
        },
      );
    });
    // A sync may take minutes, in which others go on.
    const done = await doneAt(this.#place);
    await syncFileSystemOf(rootHandle);
    return { lacking: lacking.told, changedSince: changedSince.told, ...done };
  }
}

function requireOpen({ phase, lastAt }: RunJournal, { run, home }: RunPlace): void {
  if (phase === 'preparing' || phase === 'exchanging' || phase === 'exchanged') return;
  fail('JOURNAL_STATE', `the restore '${run}' of '${home.root}' is ${phase} (${lastAt})`, {
    hint: 'it is over: start another one; nothing was touched',
  });
}

function refuseWhole(below: string, inside: string): never {
  fail(
    'TARGET_UNFIT',
    `'${shownPath(below)}' gives way to what was there, and '${shownPath(inside)}' in it, made meanwhile, is left alone`,
    {
      hint: 'move the one or the other away and go on, or roll back',
    },
  );
}

async function* asEntries(
  names: AsyncIterable<{ readonly path: string }>,
  top: string,
): AsyncGenerator<{ readonly path: string }> {
  for await (const { path } of names) yield { path: joined(top, path) };
}

function together(one: Told<Lacking>, other: Told<Lacking>): Told<Lacking> {
  return { count: one.count + other.count, first: [...one.first, ...other.first].slice(0, one.first.length + 100) };
}
