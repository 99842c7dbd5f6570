// pgBackRest: block incremental, bundles, asynchronous archiving and as many processes as there are cores.

import { randomBytes } from 'node:crypto';
import { readdir, stat, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { lsnValue, parseSegmentName, segmentStart } from '../../../src/domain/lsn.ts';
import { run } from '../../../src/process/index.ts';
import { as, quoted, shell } from '../../lib/command.ts';
import type { Peers } from '../../lib/peers.ts';
import { inOrder } from '../arrivals.ts';
import { type Arrival, type Contender, type LogService, type Place, type Work, works } from '../contender.ts';
import { type BenchServer, DISCARD } from '../server.ts';

const STANZA = 'bench';
/** Of the server that was restored; its socket alone has it. */
const PORT = '5432';
export const SEGMENT_BYTES = 16 * 2 ** 20;

export function pgbackrest({ pgbackrest: peer }: Peers, server: BenchServer): Contender {
  const words = (place: Place, ...args: string[]) => [
    ...peer.argv,
    ...[`--config=${place.home}/pgbackrest.conf`, `--stanza=${STANZA}`, ...args],
  ];
  const backUp = (place: Place, type: 'full' | 'incr') => quoted(words(place, 'backup', `--type=${type}`));
  const script = (work: Work, place: Place, moment?: string): string => {
    if (work === 'full') return backUp(place, 'full');
    if (work === 'incremental') return backUp(place, 'incr');
    if (work === 'verify') return quoted(words(place, 'verify'));
    const target = moment === undefined ? ['--type=immediate'] : ['--type=time', `--target=${asTarget(moment)}`];
    const restore = words(place, 'restore', `--pg1-path=${place.target}/data`, ...target, '--target-action=promote');
    const mkdir = quoted(['mkdir', '-m', '700', `${place.target}/data`]);
    return [mkdir, quoted([...restore, '--archive-mode=off']), ...startRestored(server, place)].join('; ');
  };
  return {
    name: 'pgbackrest',
    version: `${peer.version} (${peer.source})`,
    options: `process-max ${os.availableParallelism()}, repo-bundle, repo-block, zst 3, aes-256-cbc, checksum-page, start-fast, archive-async for push and get`,
    works: works.filter((work) => work !== 'decrypt' && (work !== 'incremental' || server.major >= 17)),
    async prepare(place) {
      await server.giveDirectory(place.repository, place.home, place.target);
      const file = path.join(place.home, 'pgbackrest.conf');
      await writeFile(file, configuration(place, server), { mode: 0o600 });
      await server.give(file);
      // From here on the server keeps what nobody has archived.
      await server.set('archive_command', '');
      const [program, ...args] = as(server.user, words(place, 'stanza-create'));
      await run(program as string, args, { cwd: '/' });
    },
    command: (work, place, moment) => ({
      argv: as(server.user, shell(script(work, place, moment))),
      cwd: '/',
      env: {},
    }),
    restored: async (place) => ({
      environment: restoredEnvironment(place),
      dataDirectory: path.join(place.target, 'data'),
    }),
    log: (place) => archiving(server, place, words(place, 'archive-push')),
    leave: () => discard(server),
  };
}

function configuration({ repository, home }: Place, server: BenchServer): string {
  const cores = os.availableParallelism();
  return `[global]
repo1-path=${repository}
repo1-cipher-type=aes-256-cbc
repo1-cipher-pass=${randomBytes(24).toString('hex')}
repo1-bundle=y
repo1-block=y
repo1-retention-full=9
compress-type=zst
compress-level=3
process-max=${cores}
start-fast=y
archive-async=y
spool-path=${home}
log-path=${home}
lock-path=${home}
log-level-console=warn
log-level-file=off

[${STANZA}]
pg1-path=${server.dataDirectory}
pg1-socket-path=${server.directory}
pg1-port=${server.port}
pg1-user=postgres
`;
}

/** As `2026-11-23 05:59:59.123456+00`. */
function asTarget(moment: string): string {
  return moment.replace('T', ' ').replace('Z', '+00');
}

export function restoredEnvironment({ target }: Place): Record<string, string> {
  return { PGHOST: target, PGPORT: PORT, PGUSER: 'postgres', PGDATABASE: 'bench' };
}

/** Starts what lies in `data` and waits until it has left recovery: it answers, and takes writes. */
export function startRestored(server: BenchServer, { target }: Place): string[] {
  const settings = {
    ...{ listen_addresses: '', port: PORT, unix_socket_directories: target },
    ...{ archive_mode: 'off', summarize_wal: server.major >= 17 ? 'off' : undefined },
  };
  const options = Object.entries(settings).flatMap(([name, value]) =>
    value === undefined ? [] : [`-c ${name}=${value}`],
  );
  const start = [server.bin('pg_ctl'), '-D', `${target}/data`, '-l', `${target}/log`, '-t', '600', '-w', 'start'];
  const ask = [server.bin('psql'), '-X', '-At', '-h', target, '-p', PORT, '-U', 'postgres', '-d', 'bench'];
  return [
    quoted([...start, '-o', options.join(' ')]),
    `until [ "$(${quoted([...ask, '-c', 'select pg_is_in_recovery()'])})" = f ]; do sleep 0.05; done`,
  ];
}

/** The server's archiver runs it for each segment; asynchronous processes of it then take all that are ready. */
function archiving(server: BenchServer, place: Place, push: readonly string[]): LogService {
  const known = new Map<string, Arrival>();
  return {
    start: () => server.set('archive_command', `${quoted(push)} %p`),
    stop: () => server.set('archive_command', ''),
    // Its processes are children of the server, or become children of its keeper.
    pids: () => ({}),
    arrivals: async () => inOrder(await archived(place.repository, known)),
  };
}

/** What the server has kept for a repository that is over. */
async function discard(server: BenchServer): Promise<void> {
  await server.set('archive_command', DISCARD);
  await server.query('select pg_switch_wal()');
  const waiting = "select count(*) from pg_ls_archive_statusdir() where name like '%.ready'";
  while ((await server.value(waiting)) !== '0') await sleep(50);
}

/** A segment is in the repository from the moment its file has its name, which changes the file's status. `known`: by name, so that each is looked at once. */
async function archived(repository: string, known: Map<string, Arrival>): Promise<readonly Arrival[]> {
  const root = path.join(repository, 'archive', STANZA);
  const names = await readdir(root, { recursive: true }).catch(() => []);
  for (const name of names) {
    const lsn = known.has(name) ? undefined : endOfArchived(path.basename(name));
    if (lsn === undefined) continue;
    const info = await stat(path.join(root, name), { bigint: true }).catch(() => undefined);
    if (info !== undefined) known.set(name, { lsn, atMs: Number(info.ctimeNs / 1000n) / 1000 });
  }
  return [...known.values()];
}

/** `0000000100000000000000A3-<sha1>.zst`: where that segment ends; `undefined` for another file. */
export function endOfArchived(name: string): bigint | undefined {
  const segment = /^([0-9A-F]{24})-[0-9a-f]{40}(\.zst)?$/.exec(name)?.[1];
  if (segment === undefined) return undefined;
  const { segment: number } = parseSegmentName(segment, SEGMENT_BYTES);
  return lsnValue(segmentStart(number + 1n, SEGMENT_BYTES));
}
