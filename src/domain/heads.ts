// Whether a copy shows less than it was seen to hold: its newest snapshot now, against the highest one that was ever seen there.

import type { ComponentId } from './component.ts';

/** The manifest with the highest number that a copy has of a component. */
export interface Head {
  readonly sequence: number;
  readonly id: string;
  /** Of the manifest's bytes, lower-case hexadecimal. */
  readonly sha256: string;
}

/** What a copy shows of a component. `names`: of all its manifests, as `manifestName` writes them. */
export interface SeenHead {
  readonly head: Head | undefined;
  readonly names: readonly string[];
}

/** A copy showed less than before. */
export interface PutBack {
  readonly copy: string;
  readonly component: ComponentId;
  /** The highest that was seen there. */
  readonly lost: Head;
  /** What it showed when that was noticed; absent: nothing of the component. */
  readonly shown?: Head;
  /** When it was noticed: ISO 8601, UTC. */
  readonly noticedAt: string;
  /** `repaired`: what was lost is there again. */
  readonly state: 'open' | 'repaired';
  /** Snapshots that were seen on the copy and that no copy shows any more. */
  readonly gone: readonly string[];
}

/** What is remembered of one component on one copy. */
export interface RememberedHead {
  readonly head: Head;
  /** Names of the newest manifests, highest last: what to name when they are gone. */
  readonly recent: readonly string[];
  readonly putBack?: Omit<PutBack, 'gone'>;
}

/** A number that was given twice: two writers did not see each other, or a copy was put back and written on. */
export interface Fork {
  readonly component: ComponentId;
  readonly sequence: number;
  readonly ids: readonly string[];
  /** On which copies each of them is, by its id. */
  readonly copies: Readonly<Record<string, readonly string[]>>;
  /** Copies that answered and have not all of them. */
  readonly apart: readonly string[];
}

/** Enough to name what a night or a week took. */
const REMEMBERED_NAMES = 32;

export function manifestName({ sequence, id }: Pick<Head, 'sequence' | 'id'>): string {
  return `${String(sequence).padStart(8, '0')}.${id}`;
}

const sequenceOf = (name: string) => Number(name.slice(0, name.indexOf('.')));
const idOf = (name: string) => name.slice(name.indexOf('.') + 1);

export interface JudgeHeadQuestion {
  readonly copy: string;
  readonly component: ComponentId;
  readonly known: RememberedHead | undefined;
  readonly seen: SeenHead;
  /** Whether somebody said that the loss of this head is known and meant. */
  readonly isAccepted: (lost: Head) => boolean;
  readonly now: Date;
}

/**
 * What to remember now. Retention never takes the newest snapshot of a class, so a head that is gone while nothing higher came is no retention. A lower head stays
 * remembered, and the loss open, until the copy has what it had, or the loss is accepted; a snapshot that is added meanwhile hides nothing.
 */
export function judgeHead(question: JudgeHeadQuestion): RememberedHead | undefined {
  const { copy, component, known, seen, isAccepted, now } = question;
  const fresh = seen.head && { head: seen.head, recent: seen.names.slice(-REMEMBERED_NAMES) };
  if (known === undefined) return fresh;
  const { putBack } = known;
  if (holds(seen, known.head)) {
    if (putBack === undefined || isAccepted(putBack.lost)) return fresh;
    return fresh && { ...fresh, putBack: { ...putBack, state: 'repaired' } };
  }
  const isHigher = seen.head !== undefined && seen.head.sequence > known.head.sequence;
  if (isAccepted(known.head)) return fresh;
  if (putBack?.state === 'open') return known;
  if (isHigher) return fresh && { ...fresh, ...(putBack === undefined ? {} : { putBack }) };
  const shown = seen.head === undefined ? {} : { shown: seen.head };
  const noticed = { copy, component, lost: known.head, ...shown, noticedAt: now.toISOString(), state: 'open' } as const;
  return { ...known, putBack: noticed };
}

/** A manifest that is listed and cannot be read is damage, which is another matter. */
function holds({ head, names }: SeenHead, known: Head): boolean {
  if (head !== undefined && manifestName(head) === manifestName(known)) return head.sha256 === known.sha256;
  return names.includes(manifestName(known));
}

/** Ids that were seen on the copy above what it showed then, and that are in none of `present`. */
export function goneSince({ recent, putBack }: RememberedHead, present: ReadonlySet<string>): string[] {
  if (putBack === undefined) return [];
  const above = putBack.shown?.sequence ?? 0;
  return recent.filter((name) => sequenceOf(name) > above && !present.has(name)).map(idOf);
}

/** Numbers that occur twice, over all copies. `answers`: names of the component's manifests, by copy that answered. */
export function forksOf(component: ComponentId, answers: ReadonlyMap<string, readonly string[]>): Fork[] {
  // Copies answer in any order.
  const names = new Map([...answers].sort(([a], [b]) => (a < b ? -1 : 1)));
  const bySequence = new Map<number, Map<string, string[]>>();
  for (const [copy, all] of names) {
    for (const name of all) {
      const ids = bySequence.get(sequenceOf(name)) ?? new Map<string, string[]>();
      bySequence.set(sequenceOf(name), ids.set(idOf(name), [...(ids.get(idOf(name)) ?? []), copy]));
    }
  }
  return [...bySequence]
    .filter(([, ids]) => ids.size > 1)
    .map(([sequence, ids]) => ({
      component,
      sequence,
      ids: [...ids.keys()].sort(),
      copies: Object.fromEntries([...ids].sort(([a], [b]) => (a < b ? -1 : 1))),
      apart: [...names.keys()].filter((copy) => [...ids.values()].some((holders) => !holders.includes(copy))),
    }));
}
