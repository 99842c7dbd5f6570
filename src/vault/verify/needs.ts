// What a component must have on a copy for its snapshots to be whole there: every object once, however many snapshots need it.

import type { ObjectFinding } from '../../domain/integrity.ts';
import type { Moment } from '../../domain/moment.ts';
import type { Verdict } from '../../domain/states.ts';
import type { HoldfastError } from '../../errors/index.ts';
import type { Generation } from '../generation.ts';
import type { Manifest } from '../manifest.ts';
import type { LogCopy, LogObject } from '../types.ts';

/** Something that is looked at, and what came of it. */
export interface Need {
  readonly key: string;
  readonly kind: ObjectFinding['kind'];
  readonly sizeBytes: number;
  state: Verdict;
  /** Since when it is known to be good. */
  at?: Moment;
  /** Seen good by an earlier look that still counts. */
  isRemembered: boolean;
  error?: HoldfastError;
  readonly what: Subject;
}

/** What is needed to look at it closely. */
export type Subject =
  | { readonly kind: 'manifest'; manifest?: Manifest }
  | { readonly kind: 'key' }
  /** Log that no object holds. */
  | { readonly kind: 'gap' }
  | { readonly kind: 'index'; readonly generation: Generation | undefined }
  | { readonly kind: 'pack'; readonly generation: Generation | undefined; readonly sha256: string }
  | { readonly kind: 'log'; readonly log: LogCopy; readonly object: LogObject };

export class Needs {
  readonly #byKey = new Map<string, Need>();
  /** Keys by snapshot id, newest snapshot first. */
  readonly snapshots = new Map<string, Set<string>>();

  get all(): readonly Need[] {
    return [...this.#byKey.values()];
  }

  get(key: string): Need | undefined {
    return this.#byKey.get(key);
  }

  /** `snapshots`: those that need it; the first word about an object's state stays. */
  add(
    snapshot: string | undefined,
    need: Pick<Need, 'key' | 'kind' | 'sizeBytes' | 'what'> & { state?: Verdict; error?: HoldfastError },
  ): Need {
    const known = this.#byKey.get(need.key);
    const added = known ?? { state: 'not checked', isRemembered: false, ...need };
    this.#byKey.set(need.key, added);
    if (snapshot !== undefined) {
      const keys = this.snapshots.get(snapshot) ?? new Set();
      keys.add(need.key);
      this.snapshots.set(snapshot, keys);
    }
    return added;
  }

  of(snapshot: string): Need[] {
    return [...(this.snapshots.get(snapshot) ?? [])].map((key) => this.#byKey.get(key) as Need);
  }
}
