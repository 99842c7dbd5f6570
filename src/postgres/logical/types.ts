// The words of logical backups: what the manifest of a dump says, so that a restore can plan without fetching anything.

import type { Lsn } from '../../domain/lsn.ts';
import type { Moment } from '../../domain/moment.ts';
import type { SnapshotFacts } from '../facts/types.ts';
import type { Spread } from './spread.ts';

/** One database as it was dumped. */
export interface DumpedDatabase {
  readonly name: string;
  /** Below the tree: `databases/<oid>`; a directory in the format of `pg_dump -Fd`. */
  readonly path: string;
  /** The instant of the server that all of the dump shows. */
  readonly moment: Moment;
  /** Position of the log that was written, or replayed on a standby, right then. */
  readonly lsn: Lsn;
  readonly owner: string;
  readonly encoding: string;
  readonly locale: DatabaseLocale;
  /** `ALTER DATABASE … SET`, as the catalogue has them: `name=value`. */
  readonly settings: readonly string[];
  /** `ALTER ROLE … IN DATABASE … SET`; absent: none. */
  readonly roleSettings?: readonly { readonly role: string; readonly settings: readonly string[] }[];
  /** Who may do what with the database itself; absent: what everybody may with a new one, and in dumps of before it was recorded. */
  readonly rights?: readonly DatabaseRight[];
  /** -1: no limit. */
  readonly connectionLimit: number;
  readonly extensions: readonly string[];
  /** On the server, indexes included. */
  readonly serverBytes: number;
  /** Its tablespaces there; absent in dumps of before they were noted. */
  readonly spread?: Spread;
  readonly dumpBytes: number;
  readonly files: number;
  /** Tables that have a file of rows. */
  readonly tables: number;
  readonly largeObjects: number;
}

export interface DatabaseRight {
  /** Absent: everybody (`PUBLIC`). */
  readonly role?: string;
  /** `CONNECT`, `CREATE` or `TEMPORARY`. */
  readonly privilege: string;
  readonly grantable: boolean;
}

export interface DatabaseLocale {
  /** `c`: libc, `i`: ICU, `b`: built into the server (PostgreSQL 17 and later). */
  readonly provider: 'c' | 'i' | 'b';
  readonly collate: string;
  readonly ctype: string;
  /** Of `i` and `b`. */
  readonly locale?: string;
  readonly icuRules?: string;
}

/** `engine` of a logical snapshot's manifest. */
export interface LogicalDetails extends Record<string, unknown> {
  readonly systemId: string;
  readonly versionNum: number;
  readonly major: number;
  /** As `pg_dump --version` says, for example `17.11`. */
  readonly dumpVersion: string;
  readonly databases: readonly DumpedDatabase[];
  /** Databases of the cluster that the configuration leaves out, or that allow no connections. */
  readonly leftOut: readonly string[];
  readonly globals: {
    readonly path: string;
    /** False: the role could not read them, so roles have none after a restore. */
    readonly passwords: boolean;
    readonly sizeBytes: number;
  };
  /** Plain size of all files. */
  readonly sizeBytes: number;
  /** Each database's at the instant of its dump; absent in dumps of before there were any. */
  readonly facts?: SnapshotFacts;
}
