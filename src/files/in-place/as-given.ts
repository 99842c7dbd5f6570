// In what an entry that was written differs from what was to be written, less what this user or file system could not give and what was told already.

import type { TreeEntry } from '../../vault/index.ts';
import { mtimeNsOf } from '../capture/entry-of.ts';
import { type Aspect, differingAspects } from '../compare/differences.ts';
import type { Found } from '../scan/found.ts';
import type { Told } from '../types.ts';
import { comparableOf, joined, type Metadata, metadataOf } from './change.ts';
import { isRounded } from './not-kept.ts';
import type { Lacking } from './types.ts';

export interface AsGivenOptions {
  /** The root as entries name it; what is told names paths whole, or below it. */
  readonly top: string;
  readonly lacking: readonly Told<Lacking>[];
  /** Whether this user can give files away; owners are not compared else, nor the bits that go by them. */
  readonly givesOwners: boolean;
  /** Times are kept in steps of so many nanoseconds here. */
  readonly grainNs: bigint;
}

/** Attributes are told by their names. */
const NAMED: ReadonlySet<string> = new Set(['owner', 'mode', 'time', 'device']);
const MAY_LACK: ReadonlySet<Aspect> = new Set(['owner', 'mode', 'time', 'attributes']);
/** Set-user and set-group: taken off in silence from what belongs to somebody else. */
const OF_OWNERS = 0o6000;

export class AsGiven {
  readonly #options: AsGivenOptions;
  readonly #lacking: ReadonlySet<string>;
  /** More was told than is named: any path may be one of them. */
  readonly #isVague: boolean;

  constructor(options: AsGivenOptions) {
    const { top, lacking } = options;
    const all = lacking.flatMap(({ first }) => first);
    this.#options = options;
    this.#isVague = lacking.some(({ count, first }) => count > first.length);
    this.#lacking = new Set(
      all.flatMap(({ path, what }) => [path, joined(top, path)].map((each) => key(each, aspectOf(what)))),
    );
  }

  /** `path`: whole. `isGiven`: this run has given it what it is; else nothing is excused. */
  aspects(path: string, entry: TreeEntry, found: Found, place: string | Buffer, isGiven = true): readonly Aspect[] {
    // Where the size is right only reading tells of the bytes, whatever the time says.
    const isDoubtful = (aspect: Aspect) => aspect === 'content' && entry.sizeBytes === found.sizeBytes;
    return differingAspects(entry, comparableOf(found, place))
      .map((aspect) => (isDoubtful(aspect) ? 'content?' : aspect))
      .filter(
        (aspect) => !this.#isOwners(aspect, entry, found) && !(isGiven && this.#isExcused(path, aspect, entry, found)),
      );
  }

  /** What this user can give of it. */
  wanted(entry: TreeEntry, { uid, gid }: Found): Metadata {
    const wanted = metadataOf(entry);
    return this.#options.givesOwners ? wanted : { ...wanted, uid, gid };
  }

  isTimeAsGiven(path: string, wantedNs: bigint, foundNs: bigint): boolean {
    if (wantedNs === foundNs || isRounded(wantedNs, foundNs, this.#options.grainNs)) return true;
    return this.#isVague || this.#lacking.has(key(path, 'time'));
  }

  #isOwners(aspect: Aspect, entry: TreeEntry, found: Found): boolean {
    if (this.#options.givesOwners) return false;
    return aspect === 'owner' || (aspect === 'mode' && ((entry.mode ^ found.mode) & ~OF_OWNERS) === 0);
  }

  #isExcused(path: string, aspect: Aspect, entry: TreeEntry, found: Found): boolean {
    if (!MAY_LACK.has(aspect)) return false;
    if (aspect === 'time') return this.isTimeAsGiven(path, mtimeNsOf(entry), found.mtimeNs);
    return this.#isVague || this.#lacking.has(key(path, aspect));
  }
}

function key(path: string, aspect: string): string {
  return `${path}\n${aspect}`;
}

function aspectOf(what: string): string {
  return NAMED.has(what) ? what : 'attributes';
}
