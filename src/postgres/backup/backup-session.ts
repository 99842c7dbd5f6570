// A backup that the server knows as long as one session lives: `pg_backup_start` … `pg_backup_stop` (PostgreSQL manual, "Making a Base Backup Using the Low Level API").

import { setTimeout as sleep } from 'node:timers/promises';
import { compareLsn, type Lsn, parseLsn } from '../../domain/lsn.ts';
import { fail } from '../../errors/index.ts';
import { openPlain, type PlainConnection } from '../connection/index.ts';
import type { Source } from '../types.ts';

export interface BackupEnd {
  readonly stopLsn: Lsn;
  readonly timeline: number;
  /** The text of `backup_label`. */
  readonly label: string;
  /** Oids of the tablespaces that the server knew. */
  readonly tablespaces: readonly number[];
}

const doing = 'take a base backup';
/** A spread checkpoint takes up to `checkpoint_timeout`, which may be a day. */
const STATEMENT_MS = 25 * 3_600_000;
export interface SessionLimits {
  /** How soon it is noticed that the server has gone: what is read after that is read for nothing. */
  readonly pingMs: number;
  /** A server that takes longer to say that it is there holds no backup that anybody should count on. */
  readonly answerMs: number;
}

const LIMITS: SessionLimits = { pingMs: 5_000, answerMs: 60_000 };
/** The log is not waited for, so that this is a matter of moments; a disk that is about to fill up may make it slow. */
const STOP_MS = 10 * 60_000;

export class BackupSession {
  readonly startLsn: Lsn;
  /** Fires when the session is no more; the reason says why. */
  readonly lost: AbortSignal;
  private readonly plain: PlainConnection;
  private readonly limits: SessionLimits;
  private readonly losing = new AbortController();
  private readonly ending = new AbortController();
  private readonly watching: Promise<void>;

  private constructor(plain: PlainConnection, startLsn: Lsn, limits: SessionLimits) {
    this.plain = plain;
    this.limits = limits;
    this.startLsn = startLsn;
    this.lost = this.losing.signal;
    this.watching = this.watch();
  }

  /**
   * Resolves after the checkpoint that the backup begins with: whatever is read from now on is put right by the log. An abort ends the session at
   * any time until it is closed.
   */
  static async start(
    source: Source,
    label: string,
    checkpoint: 'fast' | 'spread',
    signal: AbortSignal,
    limits = LIMITS,
  ): Promise<BackupSession> {
    const plain = await openPlain(source, { statementMs: STATEMENT_MS, signal });
    try {
      // The server would take the session for idle while the files are read.
      await plain.query(doing, 'set idle_session_timeout = 0');
      const sql = 'select pg_catalog.pg_backup_start($1, $2)::text as lsn';
      const [row] = await plain.query<{ lsn: string }>(doing, sql, [label, checkpoint === 'fast']);
      return new BackupSession(plain, parseLsn(row!.lsn), limits);
    } catch (error) {
      await plain.close();
      throw error;
    }
  }

  /** The log from start to end is not waited for here: that is the commit's. Throws `BACKUP_INVALID` when the server's answer does not fit. */
  async stop(): Promise<BackupEnd> {
    this.ending.abort();
    await this.watching;
    const sql = `select lsn::text, labelfile as label, spcmapfile as map from pg_catalog.pg_backup_stop(false)`;
    const [row] = await this.plain.query<Stopped>(doing, sql, [], STOP_MS);
    const { lsn, label, map } = row!;
    const field = (name: string) => new RegExp(`^${name}: (\\S+)`, 'm').exec(label)?.[1] ?? '';
    const start = field('START WAL LOCATION');
    if (start !== this.startLsn || field('BACKUP FROM') !== 'primary')
      fail('BACKUP_INVALID', `the server's label is of a backup from '${start}', not of ours from ${this.startLsn}`);
    const stopLsn = parseLsn(lsn);
    if (compareLsn(stopLsn, this.startLsn) <= 0)
      fail('BACKUP_INVALID', `the backup begins at ${this.startLsn} and ends at ${stopLsn}`);
    return { stopLsn, timeline: Number(field('START TIMELINE')), label, tablespaces: oidsOf(map ?? '') };
  }

  /** The server drops what was not stopped. */
  async close(): Promise<void> {
    this.ending.abort();
    await this.plain.close();
  }

  private async watch(): Promise<void> {
    const { signal } = this.ending;
    const { pingMs, answerMs } = this.limits;
    while (!signal.aborted) {
      await sleep(pingMs, undefined, { signal }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        await this.plain.query('hold the backup', 'select 1', [], answerMs);
      } catch (error) {
        return this.losing.abort(error);
      }
    }
  }
}

interface Stopped extends Record<string, unknown> {
  readonly lsn: string;
  readonly label: string;
  readonly map: string | null;
}

/** A line each: oid and place. */
function oidsOf(map: string): number[] {
  return [...map.matchAll(/^(\d+) /gm)].map(([, oid]) => Number(oid)).sort((one, other) => one - other);
}
