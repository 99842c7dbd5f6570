// What the journal beside the data lets a person do without Temporal, as types.

import type { ComponentId } from './component.ts';
import type { RunStatus } from './operations.ts';
import type { RedisWay } from './redis-restore.ts';
import type { StoppedServer } from './run-data.ts';

/** Where a restore in place is, by its journal. */
export type JournalPhase =
  | 'preparing'
  | 'finished'
  | 'swapping'
  | 'swapped'
  | 'rolling back'
  | 'rolled back'
  | 'confirming'
  | 'confirmed'
  | 'abandoned';

/** A restore in place as its journal tells it. */
export interface StandaloneRestore {
  readonly run: string;
  readonly component: ComponentId;
  readonly dataDirectory: string;
  /** Of Redis. */
  readonly way?: RedisWay;
  readonly phase: JournalPhase;
  /** Last line of the journal (`keep old begin`), and its time. */
  readonly lastStep: string;
  readonly at: string;
  /** Of one that is over: what it kept is not wholly removed, and its end, asked for again, removes the rest. */
  readonly isUncleared?: true;
}

/**
 * Restores in place on this host, ended by their journals alone; `openStandaloneRestores` in `src/host/standalone.ts` makes one. No
 * Temporal server is asked: whether a run is still open there cannot be known, so lock and lease decide. Each method may be done
 * again after any failure. Throws `LOCKED` while a worker is at a step or another run holds the lease, `NOT_FOUND` without a
 * journal, `JOURNAL_STATE` when the restore was ended otherwise, `DATABASE_IDENTITY` on any doubt.
 */
export interface StandaloneRestores {
  /** Newest last. */
  list(component?: ComponentId): Promise<readonly StandaloneRestore[]>;
  /** Goes on from where the journal is, up to the finished swap. */
  resume(run: string): Promise<RunStatus>;
  rollback(run: string): Promise<RunStatus>;
  confirm(run: string): Promise<RunStatus>;
  /** Ends the server that a restore left beside, by its plan: it has no journal that says so. */
  stop(restore: { readonly run: string; readonly component: ComponentId }): Promise<StoppedServer>;
  /** What this host knows by itself of a database's server that a restore has left, while no store answers. */
  left(run: string): Promise<{ readonly run: string; readonly component: ComponentId } | undefined>;
  close(): Promise<void>;
}
