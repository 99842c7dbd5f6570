// Holdfast on one directory, by the driver beside it, compiled as a package is: its engine, its receiver and its recovery, without Temporal.

import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { slotName } from '../../../src/domain/ids.ts';
import { lsnValue, parseLsn } from '../../../src/domain/lsn.ts';
import { fail } from '../../../src/errors/index.ts';
import { type RunningProcess, run, start } from '../../../src/process/index.ts';
import { compileHoldfast, describeHoldfast } from '../../lib/holdfast.ts';
import type { Peers } from '../../lib/peers.ts';
import { type Arrival, type Contender, type LogService, type Place, type Work, works } from '../contender.ts';
import { type BenchServer, DATABASE } from '../server.ts';

const operations: Readonly<Record<Work, readonly string[]>> = {
  full: ['backup'],
  incremental: ['backup', '--incremental'],
  restore: ['restore'],
  verify: ['verify'],
  decrypt: ['verify', '--decrypt'],
  recovery: ['restore'],
};
const readyWithinMs = 60_000;

let driver: Promise<string[]> | undefined;

export async function holdfast(_peers: Peers, server: BenchServer): Promise<Contender> {
  driver ??= compileHoldfast('postgres');
  return holdfastBy(await driver, await describeHoldfast(), server);
}

/** The other way of a full backup, which is all that it takes part in. */
export async function holdfastStream(_peers: Peers, server: BenchServer): Promise<Contender> {
  driver ??= compileHoldfast('postgres');
  const own = { name: 'holdfast_stream', way: 'stream', works: ['full'] } as const;
  return {
    ...holdfastBy(await driver, await describeHoldfast(), server, own),
    options: 'as holdfast, read by the replication stream of the server',
  };
}

interface Variant {
  readonly name: string;
  /** Of reading a full backup. */
  readonly way: 'auto' | 'stream';
  readonly works: readonly Work[];
}

/** `driver`: the words that start it. */
export function holdfastBy(
  driver: readonly string[],
  version: string,
  server: BenchServer,
  { name, way, works: own }: Variant = { name: 'holdfast', way: 'auto', works },
): Contender {
  const words = (operation: readonly string[], { home, target }: Place) => [
    ...[...driver, ...operation, '--config', `${home}/holdfast.yaml`, '--home', home, '--target', `${target}/data`],
  ];
  return {
    name,
    version,
    options:
      'zstd 3, AES-256-GCM, one copy in a directory, every object synced before the manifest names it; full backups by the files at hand, incremental ones by the replication stream, page checksums verified, the copy looked at again after each; log by its receiver, a process of its own here; no Temporal: each step of the workflow in its order, under its lease',
    works: server.major >= 17 ? own : own.filter((work) => work !== 'incremental'),
    async prepare(place) {
      for (const directory of Object.values(place)) await mkdir(directory, { recursive: true });
      await writeFile(path.join(place.home, 'url'), server.url, { mode: 0o600 });
      await writeFile(path.join(place.home, 'holdfast.yaml'), configuration(place, server, { name, way }));
      const [program, ...args] = words(['setup'], place);
      await run(program as string, args);
    },
    command: (work, place, moment) => {
      const to = work === 'restore' ? ['--to', 'immediate'] : moment === undefined ? [] : ['--to', moment];
      return { argv: [...words(operations[work], place), ...to], cwd: '/', env: {} };
    },
    restored: async ({ home }) => {
      const { connection, dataDirectory } = JSON.parse(await readFile(path.join(home, 'restored.json'), 'utf8'));
      const url = new URL(String(connection).replace('@/', '@socket/'));
      const [host = '', port = ''] = ['host', 'port'].map((name) => url.searchParams.get(name) ?? '');
      const PGUSER = decodeURIComponent(url.username);
      return { dataDirectory, environment: { PGHOST: host, PGPORT: port, PGUSER, PGDATABASE: DATABASE } };
    },
    steps: async ({ home }) => JSON.parse(await readFile(path.join(home, 'steps.json'), 'utf8')),
    log: (place) => receiving(words(['receive'], place), place),
    leave: async () => {
      await server.query(
        `select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '${slotName(estateOf(name), 'main')}'`,
      );
    },
  };
}

/** Each has its own slot. */
function estateOf(name: string): string {
  return name.replace('_', '-');
}

function configuration(
  { repository, home }: Place,
  server: BenchServer,
  { name, way }: Pick<Variant, 'name' | 'way'>,
): string {
  const incremental = server.major >= 17 ? ', incremental: every 6h' : '';
  const user = server.user === undefined ? '' : `, runAs: ${server.user.name}`;
  return `name: ${estateOf(name)}
timezone: UTC
sites: { home: {} }
hosts: { here: { site: home, stateDirectory: ${home}/state${user} } }
vault:
  keys: [{ name: host, file: ${home}/key }]
  copies: { local: { file: ${repository}, site: home, medium: disk } }
  commit: { copies: 1, offsite: 0 }
database:
  main:
    host: here
    url: file:${home}/url
    dataDirectory: ${server.dataDirectory}
    backup: { full: daily 02:00${incremental}, way: ${way} }
`;
}

function receiving([program, ...args]: readonly string[], { home }: Place): LogService {
  const file = path.join(home, 'arrivals');
  let receiver: RunningProcess | undefined;
  let lines = new Lines(file);
  const arrivals = () => lines.read();
  return {
    async start() {
      await writeFile(file, '');
      lines = new Lines(file);
      receiver = await start(program as string, args, { cwd: '/', logFile: path.join(home, 'receiver.log') });
      for (const giveUpAt = Date.now() + readyWithinMs; (await arrivals()).length === 0; await sleep(20)) {
        if (Date.now() > giveUpAt) fail('CHECK_FAILED', `the receiver does not start: see '${home}/receiver.log'`);
      }
    },
    async stop() {
      await receiver?.stop({ graceMs: 60_000 });
      receiver = undefined;
    },
    pids: () => (receiver === undefined ? {} : { receiver: receiver.pid }),
    arrivals,
  };
}

/** What the receiver writes, each line read once: it is asked for often. */
class Lines {
  readonly #file: string;
  readonly #arrivals: Arrival[] = [];
  #offset = 0;

  constructor(file: string) {
    this.#file = file;
  }

  async read(): Promise<readonly Arrival[]> {
    const handle = await open(this.#file);
    try {
      const { size } = await handle.stat();
      const bytes = Buffer.alloc(size - this.#offset);
      await handle.read(bytes, 0, bytes.length, this.#offset);
      const whole = bytes.subarray(0, bytes.lastIndexOf('\n') + 1);
      this.#arrivals.push(...parseArrivals(whole.toString()));
      this.#offset += whole.length;
      return this.#arrivals;
    } finally {
      await handle.close();
    }
  }
}

/** Lines of `<ms> <position>`; the last one may be half written. */
export function parseArrivals(text: string): Arrival[] {
  const lines = text.slice(0, text.lastIndexOf('\n') + 1).split('\n');
  return lines.flatMap((line) => {
    const [ms, lsn] = line.split(' ');
    return ms === undefined || lsn === undefined ? [] : [{ lsn: lsnValue(parseLsn(lsn)), atMs: Number(ms) }];
  });
}
