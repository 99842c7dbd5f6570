// What differs between two states of a host's configuration, without secrets: what is asked, and what is told.

import type { ComponentId } from './component.ts';
import type { Moment } from './moment.ts';

export interface ConfigurationDiffRequest {
  readonly component: ComponentId;
  /** As typed: `latest`, an ISO 8601 moment, `snapshot:ID`. */
  readonly from: string;
  /** The same, or `now`: the host as it is. */
  readonly to: string;
}

export interface ConfigurationDiffReport {
  readonly component: ComponentId;
  readonly from: ComparedSnapshot;
  readonly to: ComparedSnapshot | 'now';
  readonly changes: {
    readonly count: number;
    /** `path` as the history in Git has it: `files/…`, `commands/…`, `metadata`. */
    readonly first: readonly { readonly what: 'created' | 'changed' | 'removed'; readonly path: string }[];
  };
  /** As Git writes it, with markers for secrets. */
  readonly text: string;
  /** There is more of it than is told. */
  readonly isCut: boolean;
  /** Of the host as it is now: texts that could not be looked through, or changed all the time. What differs in them is not told; absent when there are none. */
  readonly notCompared?: readonly { readonly place: string; readonly why: string }[];
}

export interface ComparedSnapshot {
  readonly snapshot: string;
  readonly at: Moment;
}
