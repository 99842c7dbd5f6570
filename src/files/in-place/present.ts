// What is in a root today, name by name, and what of it is left alone: by the rules of then and of now, or because it is a mount.

import { shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { isWithin } from '../restore/select.ts';
import type { Found, FoundBatch, LeftOut, Unseen } from '../scan/found.ts';
import { PathRules, type ScanRules, whyLeftOut } from '../scan/rules.ts';
import { scan } from '../scan/scan.ts';
import type { FilesDetails } from '../types.ts';
import { walkKey } from '../walk-order.ts';
import { belowTop, joined } from './change.ts';

export type Hold = LeftOut['why'];

export interface Present {
  /** As entries name it. */
  readonly path: string;
  /** Absent where rules say that nobody looks closer. */
  readonly found?: Found;
  /** Why it is left alone; of a mount and of a cache that is so of what is below, and nobody has looked there. */
  readonly held?: Hold;
}

export interface PresentOptions {
  /** Absolute, without links. */
  readonly root: string;
  /** The root as entries name it. */
  readonly top: string;
  readonly now: ScanRules;
  readonly ofSnapshot: ScanRules;
  /** Path below the root of a directory: only what is in it. */
  readonly below?: string;
  /** A directory that went away while it was looked at. */
  readonly onGone?: (path: string) => void;
}

const GONE = new Set(['ENOENT', 'ENOTDIR']);

/** In walk order. Throws `TARGET_UNFIT` where something may not be looked at: what is there is not known then. */
export async function* presentIn(options: PresentOptions): AsyncGenerator<Present> {
  const { root, now, ofSnapshot, below = '' } = options;
  yield* presentOf(scan({ roots: [root], rules: ofBoth(now, ofSnapshot), tellsExcluded: true, below }), options);
}

/** The same, of what a scan has found. */
export async function* presentOf(
  batches: AsyncIterable<FoundBatch>,
  { root, top, ofSnapshot, onGone }: Omit<PresentOptions, 'now' | 'below'>,
): AsyncGenerator<Present> {
  const before = new PathRules(ofSnapshot.exclude);
  const named = (path: string) => joined(top, belowTop(path, root.slice(1)));
  let left: string | undefined;
  for await (const batch of batches) {
    for (const each of batch.unseen) requireSeen(each, onGone);
    for (const present of inOrder(batch)) {
      const path = named(present.path);
      if (left !== undefined && isWithin(path, left)) continue;
      left = undefined;
      if (present.found && leavesOut(before, belowTop(path, top), present.found.type === 'directory')) {
        left = path;
        yield { path, held: whyLeftOut(belowTop(path, top)) };
      } else yield { ...present, path, ...(present.found && { found: { ...present.found, path } }) };
    }
  }
}

function leavesOut(rules: PathRules, below: string, isDirectory: boolean): boolean {
  return below !== '' && isLeftOut(rules, below, isDirectory);
}

/** By itself, or with a directory that it is in. */
export function isLeftOut(rules: PathRules, below: string, isDirectory: boolean): boolean {
  const parts = below.split('/');
  return parts.some((_, at) => {
    const isWhole = at === parts.length - 1;
    return rules.leavesOut(parts.slice(0, at + 1).join('/'), !isWhole || isDirectory);
  });
}

/** What could not be captured cannot be given back: names that are not in the tree although they were there. */
export class NeverCaptured {
  readonly #paths: readonly string[];
  /** More names than a snapshot tells of: any that is not in its tree may be one of them. */
  readonly isAny: boolean;

  constructor({ unseen, leftOut }: Pick<FilesDetails, 'unseen' | 'leftOut'>) {
    this.#paths = [...unseen.first, ...leftOut.first].map(({ path }) => path);
    this.isAny = unseen.count > unseen.first.length || leftOut.count > leftOut.first.length;
  }

  has(path: string): boolean {
    return this.isAny || this.#paths.some((each) => isWithin(path, each));
  }
}

/** What either leaves out; patterns of then are asked for separately, because `!` in one may take back what the other says. */
function ofBoth(now: ScanRules, then: ScanRules): ScanRules {
  const largest = Math.min(now.largestBytes ?? Infinity, then.largestBytes ?? Infinity);
  return {
    exclude: now.exclude,
    oneFileSystem: now.oneFileSystem || then.oneFileSystem,
    cacheTags: now.cacheTags || then.cacheTags,
    ...(Number.isFinite(largest) && { largestBytes: largest }),
  };
}

function requireSeen({ path, code }: Unseen, onGone: PresentOptions['onGone']): void {
  if (GONE.has(code)) {
    onGone?.(path);
    return;
  }
  fail('TARGET_UNFIT', `'/${shownPath(path)}' cannot be looked at (${code})`, {
    hint: 'what is there is not known: let this user look at it, or leave it out by a rule; nothing was touched',
  });
}

/** A mount or a cache is both found and left out. */
function* inOrder({ found, leftOut }: FoundBatch): Generator<Present> {
  let at = 0;
  for (const each of found) {
    const key = walkKey(each.path);
    for (; at < leftOut.length && walkKey((leftOut[at] as LeftOut).path) < key; at++)
      yield held(leftOut[at] as LeftOut);
    const same = leftOut[at]?.path === each.path ? leftOut[at++] : undefined;
    yield { path: each.path, found: each, ...(same && { held: same.why }) };
  }
  for (; at < leftOut.length; at++) yield held(leftOut[at] as LeftOut);
}

function held({ path, why }: LeftOut): Present {
  return { path, held: why };
}
