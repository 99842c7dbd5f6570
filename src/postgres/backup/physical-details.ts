// What a restore must know of the source beside its files, asked while the backup runs.

import type { Moment } from '../../domain/moment.ts';
import { withPlain } from '../connection/index.ts';
import type { PhysicalDetails, Source } from '../types.ts';

export interface SourceFacts
  extends Pick<
    PhysicalDetails,
    'versionNum' | 'major' | 'pageSizeBytes' | 'segmentSizeBytes' | 'pageChecksums' | 'recoverySettings' | 'locale'
  > {
  readonly sharedPreloadLibraries: readonly string[] | undefined;
  /** Keeps summaries of its log, by which it knows what changed. */
  readonly summarizesLog: boolean;
  /** The server's clock. */
  readonly now: Moment;
}

/** A recovering server stops when one of these is lower than on the source (PostgreSQL manual, "Administrator's Overview" of hot standby). */
const recoverySettings = [
  'max_connections',
  'max_worker_processes',
  'max_wal_senders',
  'max_prepared_transactions',
  'max_locks_per_transaction',
] as const;

const clockSql = `to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

const factsSql = `select ${clockSql} as now,
  current_setting('server_version_num')::int as version_num,
  current_setting('block_size')::int as page_size,
  pg_size_bytes(current_setting('wal_segment_size'))::text as segment_size,
  current_setting('data_checksums') = 'on' as page_checksums,
  (select setting from pg_settings where name = 'shared_preload_libraries') as libraries,
  coalesce((select setting = 'on' from pg_settings where name = 'summarize_wal'), false) as summarizes_log,
  (select json_object_agg(name, setting::int) from pg_settings where name = any($1)) as recovery_settings,
  (select json_build_object('collate', datcollate, 'ctype', datctype, 'encoding', pg_encoding_to_char(encoding))
     from pg_database where datname = 'template0') as locale`;

export async function readSourceFacts(source: Source): Promise<SourceFacts> {
  return await withPlain(source, async (plain) => {
    const [row] = await plain.query('read its settings', factsSql, [recoverySettings]);
    const {
      now,
      version_num,
      page_size,
      segment_size,
      page_checksums,
      libraries,
      summarizes_log,
      recovery_settings,
      locale,
    } = row!;
    return {
      now,
      versionNum: version_num,
      major: Math.floor(version_num / 10_000),
      pageSizeBytes: page_size,
      segmentSizeBytes: Number(segment_size),
      pageChecksums: page_checksums,
      recoverySettings: recovery_settings,
      locale,
      summarizesLog: summarizes_log,
      sharedPreloadLibraries: typeof libraries === 'string' ? splitList(libraries) : undefined,
    };
  });
}

export async function readServerClock(source: Source): Promise<Moment> {
  return await withPlain(source, async (plain) => {
    const [row] = await plain.query('read its clock', `select ${clockSql} as now`);
    return row!.now;
  });
}

function splitList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim().replace(/^"(.*)"$/, '$1'))
    .filter((item) => item !== '');
}
