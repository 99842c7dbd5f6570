// From what is asked to what is compared: the wanted entries with their owners of here, and what is there and may be touched.

import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream, fstatSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fail } from '../../errors/index.ts';
import { isThere, openStraight } from '../../system/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { Owners } from '../owners.ts';
import { isWithin, Selector, treePath, wantedEntries } from '../restore/select.ts';
import { PathRules, whyLeftOut } from '../scan/rules.ts';
import { Telling } from '../told.ts';
import type { FilesDetails } from '../types.ts';
import { belowTop } from './change.ts';
import type { ChangesOptions } from './changes.ts';
import { type Hold, isLeftOut, NeverCaptured, type Present, presentIn } from './present.ts';
import type { InPlaceOptions } from './types.ts';

const READ = constants.O_RDONLY | constants.O_NONBLOCK;
const SMALL_BYTES = 256 * 1024;

/** What a comparison comes by, beside the changes. */
export interface Words {
  readonly leftAlone: Telling<{ readonly path: string; readonly why: Hold }>;
  /** Directories that went away while they were looked at. */
  readonly gone: Telling<string>;
  readonly owners: Owners;
  /** Of the snapshot there are more names that could not be captured than it tells of. */
  readonly removesNothing: boolean;
  /** Names that are no directories. */
  wanted: number;
  present: number;
}

export interface Comparing {
  readonly changes: ChangesOptions;
  readonly words: Words;
  /** What is below a directory of the root, less nothing. */
  readonly presentBelow: (below: string) => AsyncIterable<Present>;
}

/** `root` without links. Throws `TARGET_UNFIT` for a root that the snapshot does not have. */
export function comparing(options: InPlaceOptions, root: string): Comparing {
  const top = requiredTop(options);
  const details = options.reader.snapshot.engine as unknown as FilesDetails;
  const { takes, leavesOut } = wantedOf(options, top);
  const neverCaptured = new NeverCaptured(details);
  const words: Words = {
    leftAlone: new Telling(),
    gone: new Telling(),
    owners: new Owners(),
    removesNothing: neverCaptured.isAny,
    wanted: 0,
    present: 0,
  };
  const present = (below?: string) =>
    presentIn({
      root,
      top,
      now: options.rules,
      ofSnapshot: details.rules,
      ...(below !== undefined && { below }),
      onGone: (path) => words.gone.add(path),
    });
  return {
    words,
    presentBelow: present,
    changes: {
      top,
      root,
      takes,
      neverCaptured,
      givesOwners: process.geteuid?.() === 0,
      entries: (onLeftOut) => {
        const tell = ({ path, type }: Named) => {
          if (onLeftOut && leavesOut({ path, type })) onLeftOut(path, whyLeftOut(belowTop(path, top)));
        };
        return ownedHere(belowRoot(wantedEntries(options.reader, takes, tell), top), words.owners);
      },
      present: () => whereThere(root, present),
      onLeftAlone: (path, why) => words.leftAlone.add({ path, why }),
    },
  };
}

/** Of the main pass: how much is wanted, and how much is there. */
export function counting({ changes, words }: Comparing): ChangesOptions {
  return {
    ...changes,
    onPair: (entry, present) => {
      if (entry && entry.type !== 'directory') words.wanted++;
      if (present?.found && present.found.type !== 'directory') words.present++;
    },
  };
}

function requiredTop({ reader, root }: InPlaceOptions): string {
  const top = treePath(root);
  const { roots } = reader.snapshot.engine as unknown as FilesDetails;
  if (roots.some((each) => treePath(each) === top) || singleFiles(reader, top).size > 0) return top;
  return fail('TARGET_UNFIT', `the snapshot has no root '${root}'`, {
    hint: `it has: ${roots.join(', ')}`,
  });
}

/** Roots that lie right in a directory which is none itself: they alone are touched there. */
function singleFiles({ snapshot }: InPlaceOptions['reader'], top: string): ReadonlySet<string> {
  const roots = (snapshot.engine as unknown as FilesDetails).roots.map((each) => treePath(each));
  return new Set(roots.includes(top) ? [] : roots.filter((each) => path.posix.dirname(`/${each}`) === `/${top}`));
}

type Named = Pick<TreeEntry, 'path' | 'type'>;

interface WantedNames {
  readonly takes: ChangesOptions['takes'];
  /** Asked for, and left out by today's rules. */
  readonly leavesOut: (entry: Named) => boolean;
}

/** What today's rules leave out is not seen on the disk, so it must not be brought in either: it would take the place of what was never captured. */
function wantedOf({ reader, rules, selection = {} }: InPlaceOptions, top: string): WantedNames {
  const selector = new Selector(selection);
  const single = singleFiles(reader, top);
  if (single.size > 0) {
    return { takes: (entry) => single.has(entry.path) && selector.takes(entry), leavesOut: () => false };
  }
  const now = new PathRules(rules.exclude);
  const isAsked = (entry: Named) => isWithin(entry.path, top) && selector.takes(entry);
  const isOut = ({ path, type }: Named) => path !== top && isLeftOut(now, belowTop(path, top), type === 'directory');
  return { takes: (entry) => isAsked(entry) && !isOut(entry), leavesOut: (entry) => isAsked(entry) && isOut(entry) };
}

async function* whereThere(root: string, present: () => AsyncIterable<Present>): AsyncGenerator<Present> {
  if (await isThere(root)) yield* present();
}

/** Directories above it are on the way to what is wanted, too, and none of this root's. */
async function* belowRoot(entries: AsyncIterable<TreeEntry>, top: string): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) if (isWithin(entry.path, top)) yield entry;
}

async function* ownedHere(entries: AsyncIterable<TreeEntry>, owners: Owners): AsyncGenerator<TreeEntry> {
  for await (const entry of entries) {
    const owner = await owners.here(entry);
    yield owner === undefined || (owner.uid === entry.uid && owner.gid === entry.gid) ? entry : { ...entry, ...owner };
  }
}

/** Of a file that is there: no link is followed, and nobody waits for the other end of a pipe. What went away has none that anything could be equal to. */
export async function sha256Of(place: string | Buffer): Promise<string> {
  const hash = createHash('sha256');
  const handle = opened(place);
  if (handle === undefined) return '';
  try {
    // A stream takes longer to begin than most files to read.
    if (fstatSync(handle).size <= SMALL_BYTES) return hash.update(readFileSync(handle)).digest('hex');
    await pipeline(createReadStream('', { fd: handle, autoClose: false }), hash);
  } finally {
    closeSync(handle);
  }
  return hash.digest('hex');
}

function opened(place: string | Buffer): number | undefined {
  try {
    return openStraight(place, READ);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return undefined;
    throw error;
  }
}
