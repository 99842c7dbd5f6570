// What giving back a snapshot would do: where, with which server, what does not come back, and what is in the way.

import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { ComponentId } from '../../domain/component.ts';
import type { ChosenSnapshot } from '../../domain/files-restore.ts';
import type { Moment } from '../../domain/moment.ts';
import type { RedisPlan } from '../../domain/redis-restore.ts';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { isThere } from '../../system/index.ts';
import type { SnapshotOnCopies, Vault } from '../../vault/types.ts';
import { parseAddress, RedisConnection, type RedisSource } from '../connection/index.ts';
import { identify, requireStandalone, type ServerIdentity } from '../identity.ts';
import { overBy } from '../rdb/index.ts';
import { isOwn } from '../restore/beside.ts';
import { serversIn } from '../restore/directory-in-use.ts';
import type { StoredDetails } from '../restore/fetch.ts';
import { storedDetails } from '../restore/fetch.ts';
import { requireKeptAtStop } from '../restore/kept-at-stop.ts';
import { requireLiveFit } from '../restore/live-server.ts';
import { requireReadable } from '../restore/readable.ts';
import { freeFor, keptBytes, noRoom } from '../restore/room.ts';
import { otherOpenRuns, standsOpen } from '../restore/runs-left.ts';
import { type DataNames, type DataPlace, requireServerOf } from '../restore/server-place.ts';
import { findTools } from '../tools.ts';
import { type CountLimits, countMatching } from './matching.ts';

export interface PlanRedisOptions {
  readonly run: string;
  readonly component: ComponentId;
  readonly host: string;
  /** In words, as asked. */
  readonly requested: string;
  readonly chosen: ChosenSnapshot;
  readonly snapshot: SnapshotOnCopies;
  readonly moment?: Moment;
  /** Of the choice. */
  readonly warnings: readonly string[];
  readonly source: RedisSource;
  readonly programs?: string;
  readonly target:
    | { readonly type: 'beside'; readonly directory: string; readonly start: boolean }
    | {
        readonly type: 'stopped';
        readonly dataDirectory: string | undefined;
        readonly names: DataNames;
        readonly hasService: boolean;
      }
    | { readonly type: 'live' }
    /** Without a vault the keys that match are not counted. */
    | { readonly type: 'keys'; readonly pattern: string; readonly vault?: Vault; readonly limits?: CountLimits };
  /** Directory of this component's runs on this host, for restores into the running server. */
  readonly runs: string;
  /** All directories of this component's runs on this host, those into the stopped server too. */
  readonly places: readonly string[];
  readonly signal: AbortSignal;
}

type Part = Partial<RedisPlan> & Pick<RedisPlan, 'mode' | 'warnings'> & { readonly problems: readonly HoldfastError[] };

/** Reads only. What is in the way is told with all the rest. Throws `NO_SNAPSHOT` for a snapshot of another kind. */
export async function planRedis(options: PlanRedisOptions): Promise<RedisPlan> {
  const { run, component, host, requested, chosen, snapshot, programs } = options;
  const details = storedDetails(snapshot, options.moment);
  const { facts, server, sizeBytes, log } = details;
  const { problems, warnings, ...part } = await partFor(options, details);
  const tools = await problemsOf(findTools(server, programs === undefined ? {} : { programs }));
  const plan = {
    ...{ run, component, host, requested, snapshot: chosen, sizeBytes },
    ...(facts.missing === undefined && { keys: facts.keys }),
    ...(log !== undefined && log.sizeBytes > 0 && { log }),
    writtenBy: `${server.flavour} ${server.version}`,
    over: overBy(facts, Date.now() / 1000),
    ...part,
    ...(options.moment === undefined ? {} : { moment: options.moment }),
    warnings: [...options.warnings, ...dataWarnings(details), ...warnings],
    ...blocked([...tools, ...problems]),
  };
  return { ...plan, digest: digestOf(plan) };
}

async function partFor(options: PlanRedisOptions, details: StoredDetails): Promise<Part> {
  const { target } = options;
  switch (target.type) {
    case 'beside':
      return await beside(target, options, details);
    case 'stopped':
      return await intoStopped(target, options, details);
    case 'live':
      return await intoRunning(options, details, requireLiveFit, (identity) => keptBytes(details, identity));
    case 'keys':
      return await byPattern(target, options, details);
  }
}

async function byPattern(
  { pattern, vault, limits }: Extract<PlanRedisOptions['target'], { type: 'keys' }>,
  options: PlanRedisOptions,
  details: StoredDetails,
): Promise<Part> {
  const asked: ServerIdentity[] = [];
  const into = await intoRunning(options, details, async (connection) => {
    const identity = await requireTakesKeys(connection);
    asked.push(identity);
    return identity;
  });
  const part = { ...into, way: 'keys', pattern } as const;
  const [identity] = asked;
  if (identity === undefined || vault === undefined || part.problems.length > 0) return part;
  const { chosen, ...counting } = options;
  return {
    ...part,
    ...(await countMatching(identity, details, {
      ...{ ...counting, vault, pattern, from: chosen.copy },
      ...(limits && { limits }),
    })),
  };
}

async function requireTakesKeys(connection: RedisConnection): Promise<ServerIdentity> {
  const identity = await identify(connection);
  requireStandalone(identity, connection.where);
  if (identity.role === 'replica') {
    fail('REDIS_UNFIT', `'${connection.where}' is a replica: what is written there is lost`, {
      hint: 'give the keys back to the primary: its replicas follow it',
    });
  }
  return identity;
}

async function beside(
  { directory, start }: Extract<PlanRedisOptions['target'], { type: 'beside' }>,
  { run }: PlanRedisOptions,
  { sizeBytes }: StoredDetails,
): Promise<Part> {
  const space = { neededBytes: sizeBytes, availableBytes: await freeFor(directory) };
  const names = (await isThere(directory)) ? await readdir(directory) : [];
  const occupied = isOwn(names, run)
    ? []
    : [
        new HoldfastError('TARGET_UNFIT', `'${directory}' is not empty`, {
          hint: 'name a directory that is empty or not there',
        }),
      ];
  return {
    mode: 'beside',
    directory,
    start,
    space,
    warnings: [],
    problems: [...occupied, ...noRoom(directory, space)],
  };
}

async function intoStopped(
  { dataDirectory, names, hasService }: Extract<PlanRedisOptions['target'], { type: 'stopped' }>,
  options: PlanRedisOptions,
  details: StoredDetails,
): Promise<Part> {
  if (dataDirectory === undefined) {
    const missing = new HoldfastError(
      'TARGET_UNFIT',
      `'${options.component}' has no 'dataDirectory' in the configuration`,
      {
        hint: 'name it there, or restore with `--live` or `--beside DIR`',
      },
    );
    return { mode: 'in place', way: 'stopped', warnings: [], problems: [missing] };
  }
  const { identity, ...told } = await askServer(options.source, { dataDirectory, names });
  // What is stopped does not say what it reads at its start: it finds the same data in either.
  const isAppendOnly = identity?.isAppendOnly ?? true;
  const space = { neededBytes: details.sizeBytes, availableBytes: await freeFor(dataDirectory) };
  const problems = [...(await openProblems(options)), ...noRoom(dataDirectory, space), ...told.problems];
  if (identity !== undefined) problems.push(...(await problemsOf(async () => requireReadable(identity, details))));
  if (!hasService && (identity !== undefined || (await serversIn(dataDirectory)).length > 0)) {
    problems.push(
      new HoldfastError(
        'TARGET_UNFIT',
        `a server works in '${dataDirectory}', or answers for it, and the configuration has no 'service'`,
        {
          hint: 'stop it first, name its service, or restore with `--live`',
        },
      ),
    );
  }
  const warnings = [
    ...(hasService ? [] : ['the configuration has no `service`: the server is not started afterwards']),
    ...(identity === undefined
      ? [
          `no server answers: whether it reads an RDB or append-only files is not known, so it is given both (${told.silence})`,
        ]
      : []),
    ...told.warnings,
  ];
  return { mode: 'in place', way: 'stopped', directory: dataDirectory, isAppendOnly, space, warnings, problems };
}

async function intoRunning(
  options: PlanRedisOptions,
  details: StoredDetails,
  requireFit: (connection: RedisConnection) => Promise<ServerIdentity>,
  kept: (identity: ServerIdentity) => number = () => 0,
): Promise<Part> {
  const { source, runs } = options;
  const problems = await openProblems(options);
  const free = { neededBytes: details.sizeBytes, availableBytes: await freeFor(runs) };
  const { text: where } = parseAddress(source.url);
  const part = { mode: 'in place', way: 'live', space: free, server: { where }, warnings: [] } as const;
  let connection: RedisConnection | undefined;
  try {
    connection = await RedisConnection.open(source);
    const identity = await requireFit(connection);
    problems.push(...(await problemsOf(async () => requireReadable(identity, details))));
    const { version, runId } = identity;
    const space = { ...free, neededBytes: free.neededBytes + kept(identity) };
    return {
      ...part,
      space,
      server: { where, version, runId },
      problems: [...problems, ...noRoom(runs, space)],
    };
  } catch (error) {
    return { ...part, problems: [...problems, toHoldfastError(error)] };
  } finally {
    connection?.close();
  }
}

interface Asked {
  /** Absent: a server that is stopped says nothing; then why nothing was heard. */
  readonly identity?: ServerIdentity;
  readonly silence?: string;
  readonly warnings: readonly string[];
  readonly problems: readonly HoldfastError[];
}

async function askServer(source: RedisSource, place: DataPlace): Promise<Asked> {
  let connection: RedisConnection | undefined;
  try {
    connection = await RedisConnection.open(source);
    const identity = await identify(connection);
    try {
      const warnings = await requireServerOf(connection, identity, place);
      return { identity, warnings: [...warnings, ...(await requireKeptAtStop(connection, identity))], problems: [] };
    } catch (error) {
      return { identity, warnings: [], problems: [toHoldfastError(error)] };
    }
  } catch (error) {
    if (isHoldfastError(error, 'REDIS_UNREACHABLE')) return { silence: error.message, warnings: [], problems: [] };
    throw error;
  } finally {
    connection?.close();
  }
}

/** Also those that have replaced nothing yet: they may go on. */
async function openProblems({ places, run }: PlanRedisOptions): Promise<HoldfastError[]> {
  return (await otherOpenRuns(places, run)).map(standsOpen);
}

function dataWarnings({ facts }: StoredDetails): string[] {
  const { modules, missing } = facts;
  return [
    ...(modules.length === 0
      ? []
      : [`it holds data of modules (${modules.join(', ')}), which a server must have to load it`]),
    ...(missing === undefined ? [] : [`what was noted of it is not whole, and so is the comparison: ${missing}`]),
  ];
}

async function problemsOf(attempt: Promise<unknown> | (() => Promise<unknown>)): Promise<HoldfastError[]> {
  try {
    await (typeof attempt === 'function' ? attempt() : attempt);
    return [];
  } catch (error) {
    return [toHoldfastError(error)];
  }
}

function blocked(problems: readonly HoldfastError[]): Pick<RedisPlan, 'blockers'> {
  return problems.length === 0 ? {} : { blockers: problems.map((each) => each.toJSON()) };
}

function digestOf(plan: Omit<RedisPlan, 'digest'>): string {
  const { component, host, mode, way, snapshot, directory, start, pattern, server, moment } = plan;
  const decided = [component, host, mode, way, snapshot.id, directory, start, pattern, server?.runId, moment];
  return createHash('sha256').update(JSON.stringify(decided)).digest('hex').slice(0, 16);
}
