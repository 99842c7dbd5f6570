// What the Redis engine is asked, and what its snapshots hold beside the bytes.

import type { ComponentId } from '../domain/component.ts';
import type { SnapshotId } from '../vault/types.ts';
import type { RedisSource } from './connection/index.ts';
import type { Flavour, ServerIdentity } from './identity.ts';
import type { RdbFacts } from './rdb/index.ts';

export type { RedisSource } from './connection/index.ts';

/** Kinds of snapshots, and their retention classes. */
export const RDB = 'rdb';
export const AOF = 'aof';
/** The one file of an `rdb` snapshot. */
export const RDB_FILE = 'dump.rdb';

/** `snapshotId` is chosen by the run: a repeated attempt has the same and finds what an earlier one committed. */
export interface CaptureRequest {
  readonly snapshotId: SnapshotId;
  readonly component: ComponentId;
  readonly host: string;
}

/** How an RDB is had of the server. */
export const captureWays = ['sync', 'bgsave'] as const;
export type CaptureWay = (typeof captureWays)[number];

export interface CaptureServer {
  readonly source: RedisSource;
  /** Directory of `redis-server` and `redis-check-rdb`; default: on PATH. */
  readonly programs?: string;
}

export interface CapturedServer {
  readonly flavour: Flavour;
  readonly version: string;
  readonly runId: string;
  readonly role: ServerIdentity['role'];
}

/** `engine` of an `rdb` snapshot (docs/vault-format.md, section 7). */
export interface RdbDetails {
  readonly server: CapturedServer;
  readonly way: CaptureWay;
  /** Where the RDB stands in the primary's stream of commands; by synchronisation only. */
  readonly replication?: { readonly id: string; readonly offset: number };
  readonly sizeBytes: number;
  readonly facts: RdbFacts;
}

export function capturedServer({ flavour, version, runId, role }: ServerIdentity): CapturedServer {
  return { flavour, version, runId, role };
}
