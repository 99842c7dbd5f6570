// What one path was from snapshot to snapshot, newest first: a state that stays is one, however many snapshots have it.

import type { FoundPath, PathState, SnapshotMoment, WhyAbsent } from '../../domain/files-history.ts';
import { namedPath } from '../../domain/path-text.ts';
import { mtimeNsOf } from '../capture/entry-of.ts';
import type { Coverage } from '../compare/coverage.ts';
import { differingAspects } from '../compare/differences.ts';
import type { WholeEntry } from '../compare/whole-links.ts';

/** A snapshot that was read. */
export interface Looked {
  readonly moment: SnapshotMoment;
  readonly coverage: Coverage;
}

const HASH_DIGITS = 12;

interface Span {
  readonly entry: WholeEntry | undefined;
  readonly why: WhyAbsent | undefined;
  first: SnapshotMoment;
  readonly last: SnapshotMoment;
  snapshots: number;
}

export class PathHistory {
  readonly #path: string;
  readonly #spans: Span[] = [];

  /** `before`: newer snapshots, newest first; none of them has it. */
  constructor(path: string, before: readonly Looked[]) {
    this.#path = path;
    for (const one of before) this.add(one, undefined);
  }

  /** The next older snapshot. */
  add({ moment, coverage }: Looked, entry: WholeEntry | undefined): void {
    const why = entry ? undefined : coverage.whyAbsent(this.#path);
    const span = this.#spans.at(-1);
    if (span && span.why === why && isSame(span.entry, entry)) {
      span.first = moment;
      span.snapshots++;
    } else this.#spans.push({ entry, why, first: moment, last: moment, snapshots: 1 });
  }

  /** Of a path that none has. */
  absences(most: number): readonly PathState[] {
    return this.#spans.slice(0, most).map((span) => stateOf(span));
  }

  /** At least one snapshot has it. */
  answer(newest: string | undefined, most: number): FoundPath {
    // What was before the path was first seen is no news.
    const until = this.#spans.findLastIndex(({ entry }) => entry !== undefined) + 1;
    const spans = this.#spans.slice(0, until);
    const lastSeen = (spans.find(({ entry }) => entry) as Span).last;
    return {
      ...namedPath(`/${this.#path}`),
      lastSeen,
      isInNewest: lastSeen.id === newest,
      states: spans.slice(0, most).map((span) => stateOf(span)),
      moreStates: Math.max(0, spans.length - most),
    };
  }
}

function isSame(one: WholeEntry | undefined, other: WholeEntry | undefined): boolean {
  if (!one || !other) return one === other;
  return one.sameAs === other.sameAs && differingAspects(one, other).length === 0;
}

function stateOf({ entry, why, first, last, snapshots }: Span): PathState {
  const span = { first, last, snapshots };
  if (!entry) return { ...span, ...(why && { why }) };
  const { type, sizeBytes, mode, uid, gid, user, group, sha256, linkTarget, sameAs } = entry;
  return {
    ...span,
    type,
    ...(type === 'file' && { sizeBytes }),
    mode,
    ...(uid !== undefined && { owner: `${user ?? uid}:${group ?? gid ?? ''}` }),
    changedAt: new Date(Number(mtimeNsOf(entry) / 1_000_000n)).toISOString(),
    ...(sha256 !== undefined && { sha256Prefix: sha256.slice(0, HASH_DIGITS) }),
    ...(linkTarget !== undefined && { linkTarget }),
    ...(sameAs !== undefined && { sameAs: `/${sameAs}` }),
  };
}
