// Facts: what was true of each database at one instant of a backup, small enough for a manifest, to be compared with what a restore made of it.

import type { Lsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';

/** `engine.facts` of a snapshot's manifest, physical or logical. */
export interface SnapshotFacts {
  readonly version: 1;
  readonly databases: readonly DatabaseFacts[];
  /** In words, what should be in here and is not; absent when that is nothing. */
  readonly missing?: readonly string[];
}

export interface DatabaseFacts {
  readonly name: string;
  /** The instant that all of it is of: the server's clock, and a position of its log that was written, or replayed, right then. */
  readonly moment: Moment;
  readonly lsn: Lsn;
  /** Of the instant, decimal with the epoch: no transaction from `nextXid` on had ended, and all before `oldestXid` had (`pg_current_snapshot`). */
  readonly oldestXid: string;
  readonly nextXid: string;
  /** By kind of object; a kind that could not be read is missing. */
  readonly schema: Readonly<Partial<Record<SchemaKind, SchemaDigest>>>;
  readonly tables: readonly TableFacts[];
  /** Why tables are not in `tables`, and how many. */
  readonly notCounted: Readonly<Record<string, number>>;
  readonly maxima: readonly MaximumFacts[];
}

/** In the order that differences are told in. */
export const schemaKinds = [
  ...(['tables', 'constraints', 'indexes', 'views', 'functions', 'sequences', 'types', 'triggers'] as const),
  ...(['rules', 'extensions'] as const),
] as const;
export type SchemaKind = (typeof schemaKinds)[number];

export interface SchemaDigest {
  readonly objects: number;
  /** Of names, columns, types and signatures: the same after a dump was loaded, and in every major version. 32 hexadecimal digits. */
  readonly structure: string;
  /** Of the whole definitions as this major version writes them: the same only in the same cluster. */
  readonly definitions: string;
}

export interface TableFacts {
  /** As SQL has it: schema and name, quoted where they need it. */
  readonly name: string;
  readonly rows: number;
  /** `estimated`: from the server's statistics, because it was too large to count. */
  readonly basis: 'counted' | 'estimated';
  /** Its rows are made anew when a dump is loaded. */
  readonly materialized?: true;
}

export interface MaximumFacts {
  /** As the configuration names it, without the database. */
  readonly column: string;
  /** As text under fixed settings; `null`: no row had a value. */
  readonly value: string | null;
}

/** What is to be read of a database. */
export interface FactsChoice {
  /** Columns that never go back, as the configuration names them. */
  readonly maximum: readonly string[];
  /** For all databases together. */
  readonly withinMs: number;
}

export const noChoice: FactsChoice = { maximum: [], withinMs: 30_000 };
