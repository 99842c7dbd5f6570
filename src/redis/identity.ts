// Which server answers: what it is, its version, its role, and whether it can be protected as it runs.

import { fail } from '../errors/index.ts';
import type { RedisConnection } from './connection/index.ts';

export type Flavour = 'redis' | 'valkey';

export interface ServerIdentity {
  readonly flavour: Flavour;
  /** Its own version, not the one it claims for the sake of clients. */
  readonly version: string;
  /** New at every start. */
  readonly runId: string;
  readonly role: 'primary' | 'replica';
  readonly mode: 'standalone' | 'sentinel' | 'cluster';
  /** As the server sees it; absent where `INFO` does not tell. */
  readonly processId?: number;
  /** How long it runs by its own account, which is of whole seconds; absent where `INFO` does not tell. */
  readonly uptimeSeconds?: number;
  readonly port: number;
  readonly isAppendOnly: boolean;
  /** Since its last RDB; absent where `INFO` does not tell. */
  readonly unsavedChanges?: number;
  readonly usedMemoryBytes: number;
  /** Of all databases. */
  readonly keys: number;
}

export type Info = ReadonlyMap<string, string>;

/** Throws the `REDIS_…` errors. */
export async function readInfo(connection: RedisConnection): Promise<Info> {
  const text = await connection.text('read its state', 'INFO', 'everything');
  const pairs = text.split(/\r?\n/).flatMap((line) => {
    const at = line.indexOf(':');
    return at > 0 && !line.startsWith('#') ? [[line.slice(0, at), line.slice(at + 1)] as const] : [];
  });
  return new Map(pairs);
}

/** Throws the `REDIS_…` errors; `REDIS_UNFIT` for what answers no `INFO` as servers do. */
export async function identify(connection: RedisConnection): Promise<ServerIdentity> {
  return identityOf(await readInfo(connection), connection.where);
}

export function identityOf(info: Info, where: string): ServerIdentity {
  const isValkey = info.has('valkey_version');
  const version = info.get('valkey_version') ?? info.get('redis_version');
  const runId = info.get('run_id');
  if (version === undefined || runId === undefined) fail('REDIS_UNFIT', `'${where}' does not say what it is`);
  const mode = info.get('server_mode') ?? info.get('redis_mode');
  const pid = Number(info.get('process_id'));
  const uptimeSeconds = Number(info.get('uptime_in_seconds') ?? Number.NaN);
  const unsavedChanges = Number(info.get('rdb_changes_since_last_save') ?? Number.NaN);
  return {
    flavour: isValkey ? 'valkey' : 'redis',
    version,
    runId,
    role: info.get('role') === 'slave' ? 'replica' : 'primary',
    mode:
      mode === 'cluster' || info.get('cluster_enabled') === '1' ? 'cluster' : mode === 'sentinel' ? mode : 'standalone',
    ...(Number.isInteger(pid) && pid > 0 && { processId: pid }),
    ...(Number.isInteger(uptimeSeconds) && { uptimeSeconds }),
    port: Number(info.get('tcp_port') ?? 0),
    isAppendOnly: info.get('aof_enabled') === '1',
    ...(Number.isInteger(unsavedChanges) && { unsavedChanges }),
    usedMemoryBytes: Number(info.get('used_memory') ?? 0),
    keys: keysIn(info),
  };
}

function keysIn(info: Info): number {
  const ofDatabases = [...info].filter(([name]) => /^db\d+$/.test(name));
  return ofDatabases.reduce((sum, [, value]) => sum + Number(/^keys=(\d+)/.exec(value)?.[1] ?? 0), 0);
}

/** Throws `REDIS_UNFIT` with what is missing. */
export function requireStandalone({ mode }: ServerIdentity, where: string): void {
  if (mode === 'cluster') {
    fail(
      'REDIS_UNFIT',
      `'${where}' is a node of a cluster: it holds some of the keys, and nothing takes all nodes at one instant`,
      {
        hint: 'clusters are not supported yet: a capture of every node at one instant and a restore by slots are missing',
      },
    );
  }
  if (mode === 'sentinel') {
    fail('REDIS_UNFIT', `'${where}' is a Sentinel: it watches servers and holds no data`, {
      hint: 'give the address of a server that it watches, best a replica',
    });
  }
}
