// Bringing back a part of a cluster, one table or one database, as it was at a moment: what is planned, and what came of it.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { Lsn } from './lsn.ts';
import type { Moment } from './moment.ts';
import type { PlanSummary } from './plan-summary.ts';

export interface TableName {
  readonly schema: string;
  readonly table: string;
}

/**
 * `as`: the table under another name, beside the one that is there. `replace`: its rows are exchanged in the same relation. `into`: the whole
 * database under another name.
 */
export type PartWay = 'as' | 'replace' | 'into';

/** What hangs on the table of today, and what the replacing of its rows means for it. Names are qualified. */
export interface TableDependencies {
  /** Tables that its foreign keys point to, and tables whose foreign keys point to it. */
  readonly references: readonly string[];
  readonly referencedBy: readonly string[];
  readonly views: readonly string[];
  readonly materializedViews: readonly string[];
  readonly triggers: readonly { readonly name: string; readonly fires: boolean }[];
  readonly rules: readonly string[];
  readonly publications: readonly string[];
  /** Logical slots of the database: who receives what is published. */
  readonly subscribers: number;
  /** Subscriptions that write into it. */
  readonly subscriptions: readonly string[];
  readonly sequences: readonly string[];
  readonly rowSecurity: boolean;
  readonly generated: readonly string[];
  readonly identity: readonly string[];
  readonly partitions: readonly string[];
  readonly partitionOf?: string;
  readonly children: readonly string[];
  readonly parents: readonly string[];
  /** Columns of type oid: what they point to is not brought back. */
  readonly largeObjectColumns: readonly string[];
}

export interface PartPlan {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  /** How the moment is recovered beside, in a throwaway server. */
  readonly recovery: PlanSummary;
  readonly database: string;
  /** In words: `table ledger.entries`, `database bank`. */
  readonly what: string;
  readonly way: PartWay;
  /** What it is called then: `ledger.entries_then`, `bank_then`; of a replace the table itself. */
  readonly into: string;
  /** Of a replace: the table that keeps the present rows. */
  readonly keptAs?: string;
  /** The cluster that it goes into, compared again right before it is written to. */
  readonly production: { readonly systemId: string; readonly timeline: number; readonly major: number };
  /** The table as it is today; absent where there is none. */
  readonly today?: {
    readonly owner: string;
    readonly sizeBytes: number;
    readonly columns: number;
    readonly dependencies: TableDependencies;
  };
  /** Of a whole database: what it takes today; absent where it is not there. */
  readonly databaseBytes?: number;
  /** What it takes of production's own room while it is done; absent where how much that is will be known when it is recovered. */
  readonly room?: ProductionRoom;
  /** In words, what will hold; beside what the recovery warns of. */
  readonly notes: readonly string[];
  readonly warnings: readonly string[];
  readonly blockers?: readonly ErrorData[];
  /** Of all of it, the recovery included: what an approval is bound to. */
  readonly digest: string;
}

export interface ProductionRoom {
  /** By file system, where the server's files are on the host that looks. */
  readonly places: readonly RoomPlace[];
}

export interface RoomPlace {
  /** In words, what takes it: `tablespace pg_default`, `log`, `the recovery`, `the dump`. */
  readonly of: readonly string[];
  readonly neededBytes: number;
  /** Absent, with what is free, where the server's files are not at hand. */
  readonly directory?: string;
  readonly availableBytes?: number;
}

/** Rows counted, and a sum over all of them that does not depend on their order. */
export interface RowSum {
  readonly rows: number;
  readonly sum: string;
}

export interface PartResult {
  readonly id: string;
  readonly component: ComponentId;
  readonly database: string;
  readonly what: string;
  readonly way: PartWay;
  readonly into: string;
  readonly recoveredTo: Moment;
  readonly recoveredLsn: Lsn;
  readonly tables: number;
  /** Counted in the recovered server and in production, and equal. */
  readonly rows: number;
  /** Of the rows of a table, equal on both sides. */
  readonly sum?: string;
  /** Of a replace: where the rows are that were there. */
  readonly kept?: { readonly table: string; readonly rows: number };
  readonly warnings?: readonly string[];
}
