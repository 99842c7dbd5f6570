// A small bank on a real server whose base backups and log are put into a vault by the server's own tools and files: input for recovery tests.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { type Lsn, lsnDistance, lsnFrom, lsnValue, parseLsn, segmentName } from '../../src/domain/lsn.ts';
import type { Moment } from '../../src/domain/moment.ts';
import { takeBaseBackup } from '../../src/postgres/backup/index.ts';
import type { FactsChoice } from '../../src/postgres/facts/index.ts';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { describeLog } from '../../src/postgres/wal/index.ts';
import { run } from '../../src/process/index.ts';
import type { LogHeader, SnapshotId, SnapshotOnCopies, TimeMark, Vault } from '../../src/vault/index.ts';
import { type ScratchOptions, type ScratchPostgres, startScratchPostgres } from './scratch-postgres.ts';
import { type TestVault, type TestVaultOptions, testVault } from './vault.ts';

export const component = 'database/main' as const;
const segmentSizeBytes = 1024 * 1024;

export interface Commit {
  readonly id: number;
  readonly xid: string;
  /** As the server recorded it (`track_commit_timestamp`). */
  readonly time: Moment;
  /** Flush position right after the commit. */
  readonly lsn: Lsn;
}

export interface RecoverySource {
  readonly server: ScratchPostgres;
  readonly holder: TestVault;
  readonly vault: Vault;
  readonly systemId: string;
  /** `changes` make the snapshot say something else about its cluster than is true. */
  capture(changes?: Partial<PhysicalDetails>): Promise<SnapshotOnCopies>;
  /** As `capture`, by the product itself: over the stream, incrementally where asked. */
  backUp(incremental?: boolean, facts?: FactsChoice): Promise<SnapshotOnCopies>;
  /** Puts all log up to now on the copies, closed segments and one extent, and a mark. */
  ship(copies?: readonly string[], options?: { readonly skip?: (segment: string) => boolean }): Promise<Lsn>;
  /** One transaction of its own: a row in `ledger`, and its true time. */
  commit(): Promise<Commit>;
  /** A clock reading and a position that includes all commits before it. */
  mark(): Promise<TimeMark>;
}

const hba = `local all all trust
local replication all trust
host all all 127.0.0.1/32 scram-sha-256
host replication all 127.0.0.1/32 scram-sha-256
`;

/** Small segments, so that a few seconds of work cross many boundaries. */
export async function startRecoverySource(
  t: TestContext,
  options: ScratchOptions & { readonly vault?: TestVaultOptions },
): Promise<RecoverySource> {
  const server = await startScratchPostgres(t, {
    hba,
    ...options,
    initdb: ['--wal-segsize=1', ...(options.initdb ?? [])],
    settings: {
      wal_keep_size: '2GB',
      max_wal_size: '2GB',
      track_commit_timestamp: 'on',
      autovacuum: 'off',
      ...options.settings,
    },
  });
  const holder = await testVault(options.vault);
  t.after(() => holder[Symbol.asyncDispose]());
  await server.query('create table if not exists ledger (id serial primary key, note text)');
  const [system] = await server.query('select system_identifier::text as id from pg_control_system()');
  const source = new Source(server, holder, system?.id ?? '');
  return source;
}

class Source implements RecoverySource {
  readonly server: ScratchPostgres;
  readonly holder: TestVault;
  readonly systemId: string;
  private captures = 0;
  private readonly shipped = new Map<string, Set<string>>();

  constructor(server: ScratchPostgres, holder: TestVault, systemId: string) {
    this.server = server;
    this.holder = holder;
    this.systemId = systemId;
  }

  get vault(): Vault {
    return this.holder.vault;
  }

  async commit(): Promise<Commit> {
    const [row] = await this.server.query("insert into ledger (note) values ('x') returning id, xmin::text as xid");
    const [told] = await this.server.query(
      `select ${iso(`pg_xact_commit_timestamp('${row?.xid}')`)} as time, pg_current_wal_flush_lsn()::text as lsn`,
    );
    return { id: Number(row?.id), xid: String(row?.xid), time: told?.time as Moment, lsn: parseLsn(told?.lsn ?? '') };
  }

  async mark(): Promise<TimeMark> {
    const [clock] = await this.server.query(`select ${iso('clock_timestamp()')} as time`);
    const [position] = await this.server.query('select pg_current_wal_insert_lsn()::text as lsn');
    return { time: clock?.time as Moment, lsn: parseLsn(position?.lsn ?? '') };
  }

  async capture(changes: Partial<PhysicalDetails> = {}): Promise<SnapshotOnCopies> {
    const { server } = this;
    this.captures += 1;
    const directory = path.join(this.holder.directory, `capture-${this.captures}`);
    await mkdir(directory);
    const from = (await this.mark()).time;
    const args = ['-D', directory, '-X', 'fetch', '-c', 'fast', '-v', '--no-manifest'];
    const tool = await run(server.bin('pg_basebackup'), [...args, ...(await this.mapTablespaces(directory))], {
      env: server.environment,
    });
    const end = /end point: (\S+)/.exec(tool.stderrTail)?.[1] ?? '';
    const label = await readFile(path.join(directory, 'backup_label'), 'utf8');
    const start = /START WAL LOCATION: (\S+)/.exec(label)?.[1] ?? '';
    const timeline = Number(/START TIMELINE: (\d+)/.exec(label)?.[1]);
    const { time: to } = await this.mark();
    const id = `${from.slice(0, 19).replace(/[-:]/g, '')}Z-${String(this.captures).padStart(8, '0')}` as SnapshotId;
    const writer = await this.vault.writeSnapshot({
      id,
      component,
      kind: 'physical',
      class: 'full',
      from,
      host: 'db1',
    });
    const sizeBytes = await addTree(writer, directory);
    await rm(directory, { recursive: true });
    const engine = await this.details(parseLsn(start), parseLsn(end), timeline, sizeBytes);
    return writer.commit({ to, state: 'clean', engine: { ...engine, ...changes } });
  }

  async backUp(incremental = false, facts?: FactsChoice): Promise<SnapshotOnCopies> {
    this.captures += 1;
    const { time } = await this.mark();
    const id = `${time.slice(0, 19).replace(/[-:]/g, '')}Z-${String(this.captures).padStart(8, '0')}` as SnapshotId;
    return await takeBaseBackup({
      source: { component, url: this.server.url() },
      vault: this.vault,
      request: { snapshotId: id, component, host: 'db1' },
      // All log is shipped by `ship`, before anything is recovered.
      waitForLog: () => Promise.resolve(),
      ...(facts && { facts }),
      ...(incremental && { incremental: { spoolDirectory: path.join(this.holder.directory, 'parents') } }),
      signal: new AbortController().signal,
      logger: pino({ level: 'silent' }),
    });
  }

  private async mapTablespaces(directory: string): Promise<string[]> {
    const rows = await this.server.query(
      "select pg_tablespace_location(oid) as place from pg_tablespace where spcname not like 'pg_%'",
    );
    return rows.map(({ place }, index) => `--tablespace-mapping=${place}=${directory}-space-${index}`);
  }

  private async details(startLsn: Lsn, stopLsn: Lsn, timeline: number, sizeBytes: number): Promise<PhysicalDetails> {
    const names = [
      'max_connections',
      'max_worker_processes',
      'max_wal_senders',
      'max_prepared_transactions',
      'max_locks_per_transaction',
    ];
    const rows = await this.server.query(
      `select name, setting from pg_settings where name = any('{${names.join(',')}}')`,
    );
    const [row] = await this.server.query(
      "select current_setting('server_version_num') as version, current_setting('shared_preload_libraries') as preload",
    );
    const tablespaces = await this.server.query<{ oid: string; location: string; size: string }>(
      "select oid::text as oid, pg_tablespace_location(oid) as location, pg_tablespace_size(oid)::text as size from pg_tablespace where spcname not like 'pg_%'",
    );
    return {
      systemId: this.systemId,
      versionNum: Number(row?.version),
      major: this.server.major,
      timeline,
      startLsn,
      stopLsn,
      segmentSizeBytes,
      pageSizeBytes: 8192,
      pageChecksums: false,
      tablespaces: tablespaces.map(({ oid, location, size }) => ({
        oid: Number(oid),
        location,
        sizeBytes: Number(size),
      })),
      recoverySettings: Object.fromEntries(rows.map(({ name, setting }) => [name, Number(setting)])),
      sharedPreloadLibraries: (row?.preload ?? '')
        .split(',')
        .map((it) => it.trim())
        .filter(Boolean),
      locale: { collate: 'C', ctype: 'C', encoding: 'UTF8' },
      sizeBytes,
      damagedPages: [],
    };
  }

  async ship(
    copies: readonly string[] = this.vault.copies.map(({ name }) => name),
    { skip = () => false }: { skip?: (segment: string) => boolean } = {},
  ): Promise<Lsn> {
    const mark = await this.mark();
    // The mark's position may lie in front of what is flushed: wait for a flush behind it.
    await this.server.query("select pg_logical_emit_message(true, 'test', 'flush')");
    const [now] = await this.server.query(
      'select pg_current_wal_flush_lsn()::text as lsn, pg_walfile_name(pg_current_wal_lsn()) as file',
    );
    const to = parseLsn(now?.lsn ?? '');
    const timeline = Number.parseInt((now?.file ?? '').slice(0, 8), 16);
    for (const copy of copies) await this.shipTo(copy, timeline, to, mark, skip);
    return to;
  }

  private async shipTo(copy: string, timeline: number, to: Lsn, mark: TimeMark, skip: (segment: string) => boolean) {
    const log = this.vault.log(component, this.systemId, copy);
    const directory = path.join(this.server.dataDirectory, 'pg_wal');
    const names = (await readdir(directory)).sort();
    const done = this.shipped.get(copy) ?? new Set();
    this.shipped.set(copy, done);
    let maxTime: Moment | undefined;
    for (const name of names.filter((it) => /^[0-9A-F]{8}\.history$/.test(it) && !done.has(it))) {
      await log.putHistory(Number.parseInt(name.slice(0, 8), 16), await readFile(path.join(directory, name), 'utf8'));
      done.add(name);
    }
    const size = BigInt(segmentSizeBytes);
    const last = lsnValue(to) / size;
    for (let segment = 0n; segment <= last; segment += 1n) {
      const name = segmentName(timeline, segment, segmentSizeBytes);
      if (!names.includes(name)) continue;
      const fromLsn = lsnFrom(segment * size);
      const toLsn = segment === last ? to : lsnFrom((segment + 1n) * size);
      const whole = await readFile(path.join(directory, name));
      const bytes = whole.subarray(0, lsnDistance(fromLsn, toLsn));
      if (bytes.length === 0) continue;
      const request = { startLsn: fromLsn, segmentSizeBytes, timeline, bytes };
      const facts = describeLog({ ...request, ...(maxTime === undefined ? {} : { carriedMaxTime: maxTime }) });
      maxTime = facts.maxTime;
      if (done.has(name) || skip(name)) continue;
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      const header: LogHeader = { timeline, segmentSizeBytes, fromLsn, toLsn, sha256, ...facts };
      if (segment === last) await log.putExtent(header, bytes);
      else {
        await log.putSegment(header, bytes);
        done.add(name);
      }
    }
    await log.putMark(timeline, mark);
  }
}

function iso(expression: string): string {
  return `to_char(${expression} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

type Writer = Awaited<ReturnType<Vault['writeSnapshot']>>;

async function addTree(writer: Writer, root: string, relative = ''): Promise<number> {
  let sizeBytes = 0;
  for (const name of (await readdir(path.join(root, relative))).sort()) {
    const entry = path.posix.join(relative, name);
    // The log goes its own way; a base backup of ours has none.
    if (relative === 'pg_wal/archive_status' || (relative === 'pg_wal' && name !== 'archive_status')) continue;
    const file = path.join(root, entry);
    const isTablespace = relative === 'pg_tblspc';
    const stat = await lstat(isTablespace ? `${file}/` : file);
    const common = { path: entry, mode: stat.mode & 0o777, mtimeSeconds: Math.floor(stat.mtimeMs / 1000) };
    if (stat.isDirectory()) {
      await writer.addDirectory(common);
      sizeBytes += await addTree(writer, root, entry);
    } else {
      const chunking = entry.startsWith('base/') || entry.startsWith('pg_tblspc/') ? 'pages' : 'content';
      await writer.addFile({ ...common, chunking }, createReadStream(file));
      sizeBytes += stat.size;
    }
  }
  return sizeBytes;
}
