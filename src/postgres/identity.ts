// Who a cluster is, asked in ways that a role with nothing but LOGIN and REPLICATION may use.

import { parseLsn } from '../domain/lsn.ts';
import { fail } from '../errors/index.ts';
import { openReplication, type ReplicationConnection, withPlain } from './connection/index.ts';
import type { ClusterIdentity, Source } from './types.ts';

/**
 * `dataDirectory` is empty when the role may not see it (it needs `pg_read_all_settings`). Throws the `DATABASE_…` errors of
 * connecting.
 */
export async function identify(source: Source): Promise<ClusterIdentity> {
  const replication = await openReplication(source);
  try {
    const system = await identifySystem(replication);
    const seen = await withPlain(source, async (plain) => {
      const sql = `select current_setting('server_version_num')::int as version_num,
        pg_is_in_recovery() as in_recovery,
        pg_size_bytes(current_setting('wal_segment_size')) as segment_size,
        current_setting('block_size')::int as page_size,
        current_setting('data_checksums') = 'on' as page_checksums,
        (select setting from pg_settings where name = 'data_directory') as data_directory`;
      const [row] = await plain.query('ask who the cluster is', sql);
      return row!;
    });
    return {
      systemId: system.systemId,
      versionNum: seen.version_num,
      major: Math.floor(seen.version_num / 10_000),
      timeline: system.timeline,
      role: seen.in_recovery ? 'standby' : 'primary',
      flushLsn: system.flushLsn,
      segmentSizeBytes: Number(seen.segment_size),
      pageSizeBytes: seen.page_size,
      pageChecksums: seen.page_checksums,
      dataDirectory: seen.data_directory ?? '',
    };
  } finally {
    replication.close();
  }
}

/** What the replication connection itself says: the only identity that surely belongs to the stream that follows. */
export async function identifySystem(connection: ReplicationConnection) {
  const [row] = await connection.rows('identify the system', 'IDENTIFY_SYSTEM');
  const { systemid, timeline, xlogpos } = row ?? {};
  if (systemid === undefined || timeline === undefined || xlogpos === undefined) {
    return fail('DATABASE_UNREACHABLE', `the server at ${connection.context.server} does not say who it is`);
  }
  return { systemId: systemid, timeline: Number(timeline), flushLsn: parseLsn(xlogpos) };
}

/** `SHOW` over the replication protocol. */
export async function showSetting(connection: ReplicationConnection, name: string): Promise<string> {
  const [row] = await connection.rows(`read the setting '${name}'`, `SHOW ${name}`);
  return row?.[name] ?? '';
}

/** The bytes of `wal_segment_size` as the replication protocol shows it (`16MB`, `1GB`). */
export function parseSize(text: string): number {
  const match = /^(\d+)\s*(B|kB|MB|GB)?$/.exec(text.trim());
  if (match === null) return fail('INTERNAL', `expected a size such as 16MB, got '${text}'`);
  const units: Record<string, number> = { B: 1, kB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 };
  return Number(match[1]) * (units[match[2] ?? 'B'] as number);
}
