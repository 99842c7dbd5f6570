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
  /** What the snapshot holds (of append-only files, what its newest base does), and which server wrote it. */
  readonly keys: number;
  readonly sizeBytes: number;
  readonly writtenBy: string;
  /** Keys whose time is over when the plan is made, at least and at most: they do not come back. */
  readonly over: { readonly least: number; readonly most: number };
  /** Of the running server, for a live restore or one by pattern: another life of it is refused. */
  readonly server?: { readonly where: string; readonly version: string; readonly runId: string };
  /** Beside: the new one. Into a stopped server: its data directory. */
  readonly directory?: string;
  /** Beside: a server is left running. */
  readonly start?: boolean;
  /** Into a stopped server: it reads its append-only files at its start, which are made too. */
  readonly isAppendOnly?: boolean;
  /** As SCAN takes it. */
  readonly pattern?: string;
  readonly space?: { readonly neededBytes: number; readonly availableBytes: number };
  readonly warnings: readonly string[];
  /** What must be out of the way before this can be done; absent when nothing is. */
  readonly blockers?: readonly ErrorData[];
  /** Of what was decided: snapshot, mode, way, place, pattern, and the life of the server. */
  readonly digest: string;
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
  readonly replaced?: {
    readonly matching: number;
    readonly create: number;
    readonly replace: number;
    readonly surplus: number;
  };
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
