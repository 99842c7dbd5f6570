// The words of the receiver: what it needs, what it tells, what can be asked of it.

import type { Logger } from 'pino';
import type { ComponentId } from '../../domain/component.ts';
import type { Lsn } from '../../domain/lsn.ts';
import type { HoldfastError } from '../../errors/index.ts';
import type { CommitPolicy, CopyDescription, Vault } from '../../vault/types.ts';
import type { LogHole, ReceiverState, Source } from '../types.ts';
import type { LogMemory } from './log-memory.ts';
import type { SlotLoss } from './loss-record.ts';
import type { LogPosition } from './route.ts';

export interface ReceiverOptions {
  readonly source: Source;
  readonly component: ComponentId;
  readonly slot: string;
  readonly vault: Pick<Vault, 'log' | 'putRecord' | 'listRecords'>;
  readonly policy: CommitPolicy;
  readonly copies: readonly CopyDescription[];
  /** The spool lives below; its content may be lost at any time. */
  readonly stateDirectory: string;
  /** Of the server, where it is on this host: to see how full the disk of its log is. */
  readonly dataDirectory?: string;
  readonly logger: Logger;
  /** Shared by the receivers of a process; default one of its own. */
  readonly memory?: LogMemory;
  /** The cluster that is expected; another one is `DATABASE_IDENTITY`. Absent: whoever answers. */
  readonly systemId?: string;
  /** Longest time that received log waits before it is sent to a copy; default 1,000. */
  readonly flushEveryMs?: number;
  /** Log is sent sooner when this much came; default 16 MiB, so that a segment that fills within `flushEveryMs` is stored once and not in parts before. */
  readonly flushBytes?: number;
  /** How often an idle server's clock is written down; default 10,000. */
  readonly markEveryMs?: number;
  /** Received log kept on disk for copies that lag; default 4 GiB, at least four segments. */
  readonly spoolLimitBytes?: number;
  /** Asked before a lost slot is made again; `false` while a recovery is under way, which alone may say that log resumes. Default yes. */
  readonly mayDeclareLoss?: () => boolean;
  /** What made an earlier receiver fail: it must be gone before anybody goes on behind it. */
  readonly foreign?: ForeignLog;
  readonly onEvent?: (event: ReceiverEvent) => void;
}

/** An object on a copy that holds other log than was sent under its name. */
export interface ForeignLog {
  readonly copy: string;
  readonly key: string;
  /** Of the log in it. */
  readonly sha256: string;
  readonly message: string;
}

export type ReceiverEvent =
  | { readonly type: 'streaming'; readonly timeline: number; readonly fromLsn: Lsn }
  | { readonly type: 'timeline'; readonly from: number; readonly to: number; readonly switchLsn: Lsn }
  /** The slot was gone or had lost log and was made again; a full backup is due. `hole` absent: the server still had all the log. */
  | ({ readonly type: 'slot lost'; readonly slot: string; readonly hole: LogHole | undefined } & SlotLoss)
  | { readonly type: 'copy behind'; readonly copy: string; readonly code: string; readonly message: string }
  | { readonly type: 'copy back'; readonly copy: string }
  /** This receiver has ended, because trying again with the same means cannot help. `foreign`: what it found on a copy. */
  | { readonly type: 'failed'; readonly code: string; readonly message: string; readonly foreign?: ForeignLog };

export interface Receiver {
  state(): ReceiverState;
  /** Up to where a copy, or the policy, has the log for good; `undefined` while that is not known. */
  position(where: string | 'policy'): LogPosition | undefined;
  /**
   * Resolves when everything up to `lsn` of `timeline` is durable on the copy, or by the policy. Throws `CANCELLED`, or why the
   * receiver failed; waits through everything else.
   */
  waitFor(where: string | 'policy', timeline: number, lsn: Lsn, signal?: AbortSignal): Promise<void>;
  /** Ships through `lsn` by the policy, then pauses. */
  drainTo(lsn: Lsn, signal?: AbortSignal): Promise<void>;
  /** Leaves the server alone; what was received is still sent to the copies. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends everything; resolves when nothing runs any more. */
  stop(): Promise<void>;
}

/** What a state says of an error. */
export function told({ code, message, hint }: HoldfastError): NonNullable<ReceiverState['error']> {
  return { code, message, hint };
}
