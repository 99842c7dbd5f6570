// What loading a dump is planned to do, and what came of it: small enough for a history, a prompt and `--json`.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Moment } from './moment.ts';
import type { ProductionRoom } from './part.ts';
import type { RecoveryCheck } from './run-data.ts';

export interface LoadPlan {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly snapshot: string;
  /** Database of the dump, and the instant that it shows. */
  readonly database: string;
  readonly moment: Moment;
  /** In words: `database bank`, `schema ledger`, `table ledger.entries`. */
  readonly what: string;
  /** Database that it goes into. */
  readonly into: string;
  /** Name of a table there that it gets instead of its own. */
  readonly as?: string;
  /** False: it is there, and what is loaded is added in one transaction. */
  readonly isNew: boolean;
  /** Majors of the server that was dumped, and of the one that it goes into. */
  readonly majors: { readonly dumped: number; readonly server: number };
  /** Tables with rows of their own, and the bytes that are fetched. */
  readonly tables: number;
  readonly bytes: number;
  readonly space: { readonly neededBytes: number; readonly availableBytes: number };
  /** What it takes of the server's own room; absent in plans of before that was counted of every load. */
  readonly room?: ProductionRoom;
  /** Made first, because `--globals` was asked for. */
  readonly roles: readonly string[];
  /** What lies outside and is made along with it (a new database), or must be there (one that is there). */
  readonly needs: readonly string[];
  /** Parts that need what is not loaded with them. */
  readonly leftOut: readonly string[];
  readonly warnings: readonly string[];
  readonly blockers?: readonly ErrorData[];
  readonly digest: string;
}

export interface LoadResult {
  readonly id: string;
  readonly component: ComponentId;
  readonly snapshot: string;
  readonly database: string;
  readonly moment: Moment;
  readonly what: string;
  readonly into: string;
  readonly as?: string;
  readonly isNew: boolean;
  /** Counted in the database, and equal to the dump's. */
  readonly tables: number;
  readonly rows: number;
  /** Of a whole database: what was noted of it with the dump, compared. Absent otherwise. */
  readonly checks?: readonly RecoveryCheck[];
  readonly warnings?: readonly string[];
}
