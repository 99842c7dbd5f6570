// What giving back data of Redis would do, and what it did: small enough for a history, a prompt and `--json`.

import type { ErrorData } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { ChosenSnapshot } from './files-restore.ts';
import type { Moment } from './moment.ts';

/** How a restore in place gets at the server: stopped, running with all its data exchanged, or running with some keys replaced. */
export const redisWays = ['stopped', 'live', 'keys'] as const;
export type RedisWay = (typeof redisWays)[number];

export interface RedisPlan {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  readonly mode: 'in place' | 'beside';
  /** In place alone. */
  readonly way?: RedisWay;
  /** As asked, in words: `latest`, `time 2026-11-23T05:59:59Z`, `snapshot …`. */
  readonly requested: string;
  readonly snapshot: ChosenSnapshot;
  /** Of append-only files: everything up to the end of this second; absent: everything. */
  readonly moment?: Moment;
  /** Of the RDB, or of the base of append-only files; absent: they are not counted, and a warning says why. */
  readonly keys?: number;
  /** Of append-only files: what follows the base, up to the moment. */
  readonly log?: RedisLog;
  /** Of the whole snapshot. */
  readonly sizeBytes: number;
  readonly writtenBy: string;
  /** Keys whose time is over when the plan is made, at least and at most: they do not come back. */
  readonly over: { readonly least: number; readonly most: number };
  /** Of the running server, for a live restore or one by pattern: another life of it is refused. Version and life are absent when it could not be asked. */
  readonly server?: { readonly where: string; readonly version?: string; readonly runId?: string };
  /** Beside: the new one. Into a stopped server: its data directory. */
  readonly directory?: string;
  /** Beside: a server is left running. */
  readonly start?: boolean;
  /** Into a stopped server: it reads its append-only files at its start, which are made too. */
  readonly isAppendOnly?: boolean;
  /** As SCAN takes it. */
  readonly pattern?: string;
  /** By pattern, as things are now; absent: not counted, and a warning says why. */
  readonly matching?: KeyCounts;
  readonly space?: { readonly neededBytes: number; readonly availableBytes: number };
  readonly warnings: readonly string[];
  /** What must be out of the way before this can be done; absent when nothing is. */
  readonly blockers?: readonly ErrorData[];
  /** Of what was decided: snapshot, mode, way, place, pattern, and the life of the server. */
  readonly digest: string;
}

/** It makes, changes and removes keys, so how many there are in the end is known when it is loaded. */
export interface RedisLog {
  readonly commands: number;
  readonly sizeBytes: number;
  /** The moment lies in the middle of a file, of which the capture has counted all. */
  readonly isAtMost?: true;
}

export interface KeyCounts {
  /** Keys of the snapshot that match. */
  readonly matching: number;
  /** Of those, what the server lacks or has with another value or expiry. */
  readonly create: number;
  readonly replace: number;
  /** Keys of the server that match and are not in the snapshot: they stay. */
  readonly surplus: number;
}

export interface RedisRestored {
  readonly id: string;
  readonly component: ComponentId;
  readonly snapshot: string;
  /** The instant of the data. */
  readonly to: Moment;
  readonly directory?: string;
  /** Of a server that runs on it; without a password. */
  readonly connection?: string;
  /** Loaded into a server and compared with what was noted when it was captured. */
  readonly proof: RedisProof;
  /** By pattern: keys that matched, and what became of them. */
  readonly replaced?: KeyCounts;
  /** In place: where what was there is kept until `confirm`. */
  readonly keptAt?: string;
  readonly timingsMs: { readonly total: number };
}

/** What only the host that does it knows. */
export type RedisGiven = Omit<RedisRestored, 'id' | 'component' | 'snapshot' | 'to' | 'timingsMs'>;

export interface RedisProof {
  readonly keys: number;
  /** Keys whose time was over. */
  readonly expired: number;
  readonly samples: number;
  /** False: the snapshot has nothing to compare. */
  readonly hasCompared: boolean;
}
