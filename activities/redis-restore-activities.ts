// Activities of giving back data of Redis: the plan is frozen once, each place is touched under its lease, what was there is kept.

import path from 'node:path';
import { type RedisSettings, stateDirectoryOf } from '../config/index.ts';
import type { ComponentId } from '../src/domain/component.ts';
import type { RestoreRedisInput } from '../src/domain/operations.ts';
import type { RedisPlan } from '../src/domain/redis-restore.ts';
import { bytesText } from '../src/domain/size.ts';
import { describeSnapshotTarget, parseSnapshotTarget } from '../src/domain/snapshot-target.ts';
import { fail, isHoldfastError } from '../src/errors/index.ts';
import { chooseSnapshot } from '../src/files/index.ts';
import { leased } from '../src/host/restore-guard.ts';
import { run as runProgram } from '../src/process/index.ts';
import {
  type Comparison,
  confirmInPlace,
  confirmKeys,
  confirmLive,
  type InPlace,
  type LivePlace,
  planRedis,
  restoreBeside,
  restoreInPlace,
  restoreKeys,
  restoreLive,
  rollbackInPlace,
  rollbackKeys,
  rollbackLive,
  type ServerService,
  stopBeside,
  undoBeside,
  untilAnswers,
} from '../src/redis/index.ts';
import type { SnapshotId, SnapshotOnCopies } from '../src/vault/index.ts';
import type { RedisActivities, RedisGiven, RedisStep, RestoreEnd, RunOnHost } from './contract.ts';
import { type Running, runActivity } from './lib/activity-runner.ts';
import { type HostServices, redisOf, redisServerOf } from './lib/host-services.ts';

const SERVICE_LIMIT_MS = 30 * 60_000;

export function createRedisRestoreActivities(services: HostServices): Omit<RedisActivities, 'captureRedis'> {
  const { frame } = services;
  return {
    planRedis: ({ run, input, keep }) => runActivity(frame, () => freeze(services, run, input, keep)),
    recheckRedis: ({ run, input }) =>
      runActivity(frame, async () => {
        const [shown, now] = [await storedPlan(services, run), await plan(services, run, input)];
        if (shown.digest === now.digest) return;
        fail('PLAN_CHANGED', `the plan now has digest '${now.digest}', not '${shown.digest}' as shown`);
      }),
    restoreRedis: (request) =>
      runActivity(frame, async (running) => {
        const frozen = await loadPlan(services, request);
        const place = {
          dataDirectory: await placeOf(services, frozen),
          run: frozen.run,
          owner: frozen.run,
          undo: false,
        };
        return await leased(services, place, ({ check, lost }) => {
          const signal = lost === undefined ? running.signal : AbortSignal.any([running.signal, lost]);
          return give(services, frozen, { ...running, signal }, check);
        });
      }),
    undoRedis: ({ component, run }) =>
      runActivity(frame, async ({ signal }) => {
        await back(services, component, run, run, signal);
      }),
    stopRedis: ({ run }) =>
      runActivity(frame, async () => {
        const { directory } = await storedPlan(services, run);
        if (directory === undefined) fail('NOT_FOUND', `${run} has left no server`);
        return { run, dataDirectory: directory, stopped: await stopBeside(directory) };
      }),
  };
}

export async function endRedisBack(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const dataDirectory = await back(services, component, run, `rollback of ${run}`, toTheEnd());
  return { dataDirectory, message: `what was there before ${run} is back` };
}

export async function endRedisConfirmed(services: HostServices, { component, run }: RunOnHost): Promise<RestoreEnd> {
  const signal = toTheEnd();
  const frozen = await storedPlan(services, run);
  const dataDirectory = await placeOf(services, frozen);
  await leased(services, { dataDirectory, run, owner: `confirm of ${run}`, undo: false }, async () => {
    if (frozen.way === 'stopped') await confirmInPlace(await inPlace(services, frozen, signal));
    else if (frozen.way === 'live') await confirmLive(await livePlace(services, frozen, signal));
    else await confirmKeys(await livePlace(services, frozen, signal));
  });
  return { dataDirectory, message: `${run} is confirmed: what was kept of ${component} was removed` };
}

/** What ends a restore is not given up in the middle: whoever is stopped there is begun again. */
const toTheEnd = () => new AbortController().signal;

async function back(
  services: HostServices,
  component: ComponentId,
  run: string,
  owner: string,
  signal: AbortSignal,
): Promise<string> {
  const frozen = await storedPlan(services, run);
  if (frozen.component !== component) fail('NOT_FOUND', `${run} is of '${frozen.component}', not of '${component}'`);
  const dataDirectory = await placeOf(services, frozen);
  await leased(services, { dataDirectory, run, owner, undo: true }, async ({ check }) => {
    if (frozen.mode === 'beside') await undoBeside(dataDirectory, frozen.snapshot.id);
    else if (frozen.way === 'stopped') await rollbackInPlace(await inPlace(services, frozen, signal, check));
    else if (frozen.way === 'live') await rollbackLive(await livePlace(services, frozen, signal, check));
    else await rollbackKeys(await livePlace(services, frozen, signal, check));
  });
  return dataDirectory;
}

type Check = (() => Promise<void>) | undefined;

async function give(services: HostServices, frozen: RedisPlan, running: Running, check: Check): Promise<RedisGiven> {
  const { signal, report } = running;
  const onProgress = (note: string) => report({ note });
  const stored = await storedSnapshot(services, frozen);
  if (frozen.mode === 'beside') return await giveBeside(services, frozen, stored, running);
  if (frozen.way === 'stopped') {
    const place = await inPlace(services, frozen, signal, check);
    const comparison = await restoreInPlace({ ...place, ...stored, ...(await programs(services, frozen)), onProgress });
    return { directory: place.dataDirectory, proof: proofOf(comparison), keptAt: keptIn(place) };
  }
  const place = await livePlace(services, frozen, signal, check);
  const connection = frozen.server?.where;
  const given = { keptAt: place.directory, ...(connection === undefined ? {} : { connection }) };
  if (frozen.way === 'live') {
    const runId = frozen.server?.runId ?? '';
    return { ...given, proof: proofOf(await restoreLive({ ...place, ...stored, runId, onProgress })) };
  }
  onProgress('fetching the snapshot and looking for keys that match');
  const { proof, ...replaced } = await restoreKeys({ ...place, ...stored, pattern: frozen.pattern ?? '' });
  return { ...given, proof: proofOf(proof), replaced };
}

async function giveBeside(
  services: HostServices,
  frozen: RedisPlan,
  stored: Awaited<ReturnType<typeof storedSnapshot>>,
  { signal, report }: Running,
): Promise<RedisGiven> {
  const { configuration, host } = services;
  const { runAs } = configuration.hosts[host] ?? {};
  const restored = await restoreBeside({
    ...stored,
    ...(await programs(services, frozen)),
    directory: frozen.directory ?? '',
    start: frozen.start === true,
    ...(runAs === undefined || process.getuid?.() !== 0 ? {} : { runAs }),
    onProgress: (bytes) => report({ note: `${bytesText(bytes)} fetched` }),
    signal,
  });
  const { directory, comparison, server } = restored;
  return { directory, proof: proofOf(comparison), ...(server === undefined ? {} : { connection: server.url }) };
}

function proofOf({ keys, expired, samples, hasCompared }: Comparison): RedisGiven['proof'] {
  return { keys, expired, samples, hasCompared };
}

const keptIn = ({ dataDirectory, run }: InPlace) => path.join(dataDirectory, '.holdfast', run, 'old');

/** What the lease is for: the directory that is touched, or that of the run where a running server is. */
async function placeOf(services: HostServices, frozen: RedisPlan): Promise<string> {
  return frozen.directory ?? redisRunsOf(services, redisOf(services, frozen.component));
}

/** Where runs that change a running server keep their journals, and what was there before. */
export function redisRunsOf(
  { configuration, host }: Pick<HostServices, 'configuration' | 'host'>,
  { name }: Pick<RedisSettings, 'name'>,
): string {
  return path.join(stateDirectoryOf(configuration, host), 'redis', name);
}

async function livePlace(
  services: HostServices,
  { component, run }: RedisPlan,
  signal: AbortSignal,
  check?: Check,
): Promise<LivePlace> {
  const directory = path.join(redisRunsOf(services, redisOf(services, component)), run);
  return { directory, ...(await redisServerOf(services, component)), signal, ...(check && { check }) };
}

async function inPlace(
  services: HostServices,
  frozen: RedisPlan,
  signal: AbortSignal,
  check?: Check,
): Promise<InPlace> {
  const settings = redisOf(services, frozen.component);
  const { rdb, appendDirectory, append } = settings.files;
  const service = await serviceOf(services, settings);
  return {
    dataDirectory: frozen.directory ?? '',
    run: frozen.run,
    layout: { rdbFile: rdb, appendDirectory, appendFile: append, isAppendOnly: frozen.isAppendOnly === true },
    ...(service && { service }),
    ...(check && { check }),
    signal,
  };
}

/** Started is a server only when it has loaded its data and answers. */
async function serviceOf(services: HostServices, settings: RedisSettings): Promise<ServerService | undefined> {
  const { service, id } = settings;
  if (service === undefined) return undefined;
  const { source } = await redisServerOf(services, id);
  const options = { deadlineMs: SERVICE_LIMIT_MS };
  const act = async (word: 'start' | 'stop') => {
    if ('systemd' in service) await runProgram('systemctl', [word, service.systemd], options);
    else await runProgram('sh', ['-c', service.commands[word]], options);
  };
  return {
    stop: () => act('stop'),
    start: async () => {
      await act('start');
      await untilAnswers(source);
    },
  };
}

async function programs(services: HostServices, { component }: RedisPlan): Promise<{ programs?: string }> {
  const { programs: directory } = redisOf(services, component);
  return directory === undefined ? {} : { programs: directory };
}

async function storedSnapshot(services: HostServices, { component, snapshot }: RedisPlan) {
  const vault = await services.vault('restore');
  const found = await vault.findSnapshot(component, snapshot.id as SnapshotId);
  if (found === undefined) fail('NO_SNAPSHOT', `snapshot '${snapshot.id}' of '${component}' is not there any more`);
  return { vault, snapshot: found, from: snapshot.copy };
}

async function plan(services: HostServices, run: string, input: RestoreRedisInput): Promise<RedisPlan> {
  const { configuration, host } = services;
  const { component, to, from } = input;
  const settings = redisOf(services, component);
  const vault = await services.vault('restore');
  const target = parseSnapshotTarget(to, configuration.timezone);
  const chosen = await chooseSnapshot(vault, component, target, from);
  const snapshot = (await vault.findSnapshot(component, chosen.id as SnapshotId)) as SnapshotOnCopies;
  return await planRedis({
    ...{ run, component, host, chosen, snapshot },
    requested: describeSnapshotTarget(target),
    ...(await redisServerOf(services, component)),
    target: targetOf(settings, input),
    runs: redisRunsOf(services, settings),
  });
}

function targetOf(settings: RedisSettings, { beside, live, pattern }: RestoreRedisInput) {
  if (beside !== undefined) return { type: 'beside', ...beside } as const;
  if (live === true) return { type: 'live' } as const;
  if (pattern !== undefined) return { type: 'keys', pattern } as const;
  const { dataDirectory, files, service } = settings;
  const { appendDirectory } = files;
  return { type: 'stopped', dataDirectory, appendDirectory, hasService: service !== undefined } as const;
}

/** With `keep` it is stored as a record of the run, once. */
async function freeze(
  services: HostServices,
  run: string,
  input: RestoreRedisInput,
  keep: boolean,
): Promise<RedisPlan> {
  if (!keep) return await plan(services, run, input);
  const vault = await services.vault('restore');
  const stored = await vault.getRecord(run, 'plan').catch((error: unknown) => {
    if (isHoldfastError(error, 'NOT_FOUND')) return undefined;
    throw error;
  });
  // An earlier attempt has frozen it: planning again could give another.
  if (stored !== undefined) return stored as RedisPlan;
  const made = await plan(services, run, input);
  await vault.putRecord(run, 'request', input);
  await vault.putRecord(run, 'plan', made);
  return made;
}

async function storedPlan(services: HostServices, run: string): Promise<RedisPlan> {
  return (await (await services.vault('restore')).getRecord(run, 'plan')) as RedisPlan;
}

/** Throws `PLAN_CHANGED`, `NOT_FOUND`. */
async function loadPlan(services: HostServices, { run, component, planDigest }: RedisStep): Promise<RedisPlan> {
  const stored = await storedPlan(services, run);
  if (stored.run !== run || stored.component !== component || stored.host !== services.host) {
    fail('PLAN_CHANGED', `the plan that was found is for ${stored.run} of ${stored.component} on '${stored.host}'`);
  }
  if (stored.digest !== planDigest) {
    fail('PLAN_CHANGED', `the plan of ${run} has digest '${stored.digest}', not '${planDigest}'`);
  }
  return stored;
}
