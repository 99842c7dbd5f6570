// One walk over a root that was given back: the snapshot beside what is there, name by name, each with what the run did to it.

import type { TreeEntry } from '../../vault/index.ts';
import { sideBySide } from '../compare/side-by-side.ts';
import { isWithin } from '../restore/select.ts';
import { Telling } from '../told.ts';
import type { Told } from '../types.ts';
import { walkKey } from '../walk-order.ts';
import type { Brought, BroughtLists } from './brought.ts';
import { belowTop, type Change, joined, typeOf } from './change.ts';
import { ComparedDirectories } from './compared-directories.ts';
import { requireRunning } from './hold.ts';
import { readList } from './list.ts';
import type { Comparing } from './options.ts';
import type { RunPlace } from './place.ts';
import type { Present } from './present.ts';
import { isOfDirectory, only, sortedChanges } from './sorted-changes.ts';
import { Suspects } from './suspects.ts';
import type { InPlaceResult } from './types.ts';
import type { Difference, Judge, Name } from './whose.ts';

export interface WalkResult {
  /** Of the snapshot, what was wanted and is not left alone. */
  readonly entries: number;
  /** What nobody but this run can have made so, in words. */
  readonly wrong: Told<string>;
  /** What others changed since the run began, in words. */
  readonly changedSince: Told<string>;
}

export interface WalkParts {
  readonly place: RunPlace;
  readonly lists: BroughtLists;
  readonly comparing: Comparing;
  readonly judge: Judge;
  readonly listed: Pick<InPlaceResult, 'leftAlone'>;
  readonly signal: AbortSignal;
}

/** One look at all of it. */
export class ComparisonWalk {
  readonly #place: RunPlace;
  readonly #lists: BroughtLists;
  readonly #comparing: Comparing;
  readonly #judge: Judge;
  readonly #signal: AbortSignal;
  readonly #wrong = new Telling<string>();
  readonly #changedSince = new Telling<string>();
  readonly #directories = new ComparedDirectories();
  readonly #suspects = new Suspects();
  /** What is wanted and was left alone when the changes were listed, or holds such a name now: links to it do not come in either. */
  readonly #leftAlone: Set<string>;
  /** More was left alone than is named: what the run did not touch may be some of it. */
  readonly #isVague: boolean;
  #entries = 0;

  constructor({ place, lists, comparing: all, judge, listed, signal }: WalkParts) {
    const { first, count } = listed.leftAlone;
    this.#place = place;
    this.#lists = lists;
    this.#comparing = all;
    this.#judge = judge;
    this.#signal = signal;
    this.#leftAlone = new Set(first.map(({ path }) => path));
    this.#isVague = count > first.length;
  }

  async run(): Promise<WalkResult> {
    const { top } = this.#comparing.changes;
    let held: string | undefined;
    for await (const { path, one, other } of sideBySide(this.#pairs(), this.#known())) {
      requireRunning(this.#signal);
      for (const left of this.#directories.leaveFor(path)) this.#tell(left);
      const present = one?.present;
      if (held !== undefined && !isWithin(path, held)) held = undefined;
      if (held === undefined && present?.held) held = path;
      if (held !== undefined) {
        if (one?.entry) this.#leftAlone.add(held);
        this.#directories.stay();
        continue;
      }
      const below = belowTop(path, top);
      const change = present?.found?.type === 'directory' ? other?.change : other?.ofName;
      await this.#look({ path, below, entry: one?.entry, found: present?.found, change, brought: other?.brought });
    }
    for (const left of this.#directories.leaveAll()) this.#tell(left);
    await this.#judgeSuspects();
    return { entries: this.#entries, wrong: this.#wrong.told, changedSince: this.#changedSince.told };
  }

  async #look(name: Name): Promise<void> {
    const { path, entry, found } = name;
    const { takes, neverCaptured } = this.#comparing.changes;
    const isWanted = entry !== undefined && takes(entry);
    const isDirectory = found?.type === 'directory';
    // What was taken away, and is not there.
    if (!entry && !found) return;
    if (!entry) {
      const isAsked = name.brought !== undefined || (found && takes({ path, type: typeOf(found) }));
      if (isAsked && !neverCaptured.has(path)) await this.#lookAtSurplus(name);
      else {
        this.#directories.stay();
        if (isDirectory) this.#directories.enter(path, found.ctimeNs);
      }
      return;
    }
    const isExchanged = this.#judge.isExchanged(name, this.#directories.ctimeNs);
    const isOnTheWay = !isWanted && !name.brought && isDirectory;
    if (!isOnTheWay && !this.#isLeftAlone(name)) {
      this.#entries++;
      const isTheirs = isExchanged ?? this.#directories.isInTheirs;
      this.#note(name, this.#asTheirs(name, await this.#judge.entry(name), isTheirs));
    }
    if (!isDirectory) return;
    this.#directories.enter(path, found.ctimeNs);
    if (isExchanged !== undefined) this.#directories.isTheirs(isExchanged);
    const time = await this.#judge.directoryTime(name);
    if (time !== undefined) this.#directories.timeDiffers(time);
  }

  /** A directory stays with what others, or rules, keep in it. */
  async #lookAtSurplus(name: Name): Promise<void> {
    const isExchanged = this.#judge.isExchanged(name, this.#directories.ctimeNs);
    const surplus = await this.#judge.surplus(name, this.#directories.isInTheirs);
    const isDirectory = name.found?.type === 'directory';
    if (!surplus.isOurs) this.#directories.stay();
    if (!surplus.isOurs || !isDirectory) this.#note(name, surplus);
    if (!isDirectory) return;
    this.#directories.enter(name.path, name.found?.ctimeNs);
    if (surplus.isOurs) this.#directories.mustGo(surplus.words);
    else if (isExchanged !== false) this.#directories.isTheirs(true);
  }

  /** In a directory that others have put in the place of another one only what still waits is this run's; where more was left alone than is named, nothing that it did not touch. */
  #asTheirs(name: Name, difference: Difference | undefined, isTheirs: boolean): Difference | undefined {
    if (!difference || difference.isCertain) return difference;
    const { words, isName } = difference;
    if (isTheirs) return { words, isOurs: false, ...(isName && { isName }) };
    return this.#isVague && isUntouched(name) ? { ...difference, isOurs: false } : difference;
  }

  #tell({ words, isOurs }: Pick<Difference, 'words' | 'isOurs'>): void {
    (isOurs ? this.#wrong : this.#changedSince).add(words);
  }

  #note({ below }: Name, difference: Difference | undefined): void {
    if (!difference) return;
    const { words, isOurs, isName, suspect } = difference;
    if (!isOurs && isName) this.#directories.written();
    const isSuspect = !isOurs && suspect !== undefined && this.#suspects.add(suspect, { below, words });
    if (!isSuspect) this.#tell(difference);
  }

  /** What this run brought, and is under another name now: others may give a name to what is in its place, or take it away later. */
  async #judgeSuspects(): Promise<void> {
    for await (const { inode, path } of readList<Brought>(this.#place.brought, this.#lists.brought)) {
      const suspect = this.#suspects.get(inode);
      if (!suspect || suspect.below === path || (await this.#judge.isInPlace(path, inode))) continue;
      this.#suspects.take(inode);
      this.#wrong.add(suspect.words);
    }
    for (const { words } of this.#suspects.rest()) this.#changedSince.add(words);
  }

  /** By itself, or as a link to what is. */
  #isLeftAlone(name: Name): boolean {
    const { entry, path } = name;
    if (isUntouched(name) && this.#leftAlone.has(path)) return true;
    if (entry?.type !== 'hardlink' || entry.linkTarget === undefined) return false;
    const { linkTarget } = entry;
    const parts = linkTarget.split('/');
    return parts.some((_, at) => this.#leftAlone.has(parts.slice(0, at + 1).join('/')));
  }

  async *#pairs(): AsyncGenerator<{ readonly path: string; readonly entry?: TreeEntry; readonly present?: Present }> {
    const { entries, present } = this.#comparing.changes;
    for await (const { path, one, other } of sideBySide(entries(), present()))
      yield { path, ...(one && { entry: one }), ...(other && { present: other }) };
  }

  /** What the run knows, by path: what it brought in, and what it did to names; `ofName`, less what it did to directories that stay, or go when they are empty. */
  async *#known(): AsyncGenerator<Known> {
    const { top } = this.#comparing.changes;
    const { exchange, brought } = this.#lists;
    const lines = readList<Brought>(this.#place.brought, brought);
    const names = only(readList<Change>(this.#place.exchange, exchange), (change) => !isOfDirectory(change));
    const known = sideBySide(this.#directoriesInOrder(), sideBySide(names, lines));
    for await (const { path, one: directory, other } of known) {
      const change = other?.one ?? directory;
      yield {
        path: joined(top, path),
        ...(change && { change }),
        ...(other?.one && { ofName: other.one }),
        ...(other?.other && { brought: other.other }),
      };
    }
  }

  /** They are listed behind what is in them. */
  #directoriesInOrder(): AsyncIterable<Change> {
    const all = readList<Change>(this.#place.exchange, this.#lists.exchange);
    const key = ({ path }: Change) => walkKey(path);
    return sortedChanges(only(all, isOfDirectory), { directory: this.#place.directory, key });
  }
}

interface Known {
  readonly path: string;
  readonly change?: Change;
  readonly ofName?: Change;
  readonly brought?: Brought;
}

function isUntouched({ brought, change }: Name): boolean {
  return brought === undefined && change === undefined;
}
