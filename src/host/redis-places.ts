// Where a restore of Redis keeps what it does, and how the server is reached, stopped and started: by the configuration of its host alone.

import path from 'node:path';
import {
  type Configuration,
  componentOf,
  type RedisSettings,
  resolveSecret,
  stateDirectoryOf,
} from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { RedisWay } from '../domain/redis-restore.ts';
import type { JournalPhase } from '../domain/standalone.ts';
import { fail } from '../errors/index.ts';
import { run as runProgram, tryRun } from '../process/index.ts';
import {
  type AppendOnlyPlace,
  type CaptureServer,
  type InPlace,
  isListOfKeys,
  type LivePlace,
  type RunPhase,
  runIn,
  type ServerService,
  untilAnswers,
} from '../redis/index.ts';
import { isThere } from '../system/index.ts';
import type { Vault } from '../vault/index.ts';
import type { GuardServices } from './restore-guard.ts';

export interface RedisRestoring extends GuardServices {
  readonly configuration: Configuration;
  /** The vault with the credentials that restore. */
  reading(): Promise<Vault>;
}

type Here = Pick<RedisRestoring, 'configuration' | 'host'>;

const SERVICE_LIMIT_MS = 30 * 60_000;
const HOLDFAST = '.holdfast';

/** Throws `UNKNOWN_COMPONENT`. */
export function redisOn({ configuration, host }: Here, component: ComponentId): RedisSettings {
  const settings = componentOf(configuration, component);
  if (settings.kind !== 'redis' || settings.host !== host) {
    fail('UNKNOWN_COMPONENT', `'${component}' is no component of Redis on host '${host}'`);
  }
  return settings;
}

/** With its password, which goes nowhere but into the engine. Throws `SECRET_UNRESOLVED`. */
export async function serverOf({ url, caFile, programs }: RedisSettings): Promise<CaptureServer> {
  const source = { url: await resolveSecret(url), ...(caFile === undefined ? {} : { caFile }) };
  return { source, ...(programs === undefined ? {} : { programs }) };
}

/** Throws `REDIS_UNFIT` where the data directory is not configured. */
export function appendOnlyOf({ id, dataDirectory, files }: RedisSettings): AppendOnlyPlace {
  if (dataDirectory === undefined) {
    fail('REDIS_UNFIT', `'${id}' has no 'dataDirectory' in the configuration`, {
      hint: 'append-only files are captured from it: name it there',
    });
  }
  return { dataDirectory, appendDirectory: files.appendDirectory, appendFile: files.append };
}

/** Directories of runs: beside the data, and, of restores into the running server, in the state directory. */
export function journalPlaces(here: Here, settings: Pick<RedisSettings, 'name' | 'dataDirectory'>) {
  const { dataDirectory, name } = settings;
  const running = path.join(stateDirectoryOf(here.configuration, here.host), 'redis', name);
  return { running, ...(dataDirectory === undefined ? {} : { stopped: path.join(dataDirectory, HOLDFAST) }) };
}

export interface Touched {
  readonly way: RedisWay;
  readonly directory: string;
  /** Absent: nothing was written into its journal yet. */
  readonly state?: { readonly phase: JournalPhase; readonly at: string };
}

/** What a run has touched, by its journal alone. Throws `NOT_FOUND` where there is none. */
export async function touchedBy(here: Here, settings: RedisSettings, run: string): Promise<Touched> {
  const { stopped, running } = journalPlaces(here, settings);
  if (stopped !== undefined && settings.dataDirectory !== undefined && (await isThere(path.join(stopped, run)))) {
    return { way: 'stopped', directory: settings.dataDirectory, ...(await stateIn(stopped, run)) };
  }
  const directory = path.join(running, run);
  if (!(await isThere(directory))) {
    fail('NOT_FOUND', `'${run}' has touched nothing of '${settings.id}'`, { hint: 'see `holdfast history`' });
  }
  return { way: (await isListOfKeys(directory)) ? 'keys' : 'live', directory, ...(await stateIn(running, run)) };
}

async function stateIn(place: string, run: string): Promise<Pick<Touched, 'state'>> {
  const found = await runIn(place, run);
  return found === undefined ? {} : { state: { phase: journalPhase(found.phase), at: found.at } };
}

/** As the journals of all kinds of components are told. */
export function journalPhase(phase: RunPhase): JournalPhase {
  if (phase === 'exchanging') return 'swapping';
  return phase === 'exchanged' ? 'swapped' : phase;
}

export type Check = (() => Promise<void>) | undefined;

export async function livePlace(
  here: Here,
  settings: RedisSettings,
  run: string,
  signal: AbortSignal,
  check?: Check,
): Promise<LivePlace> {
  const directory = path.join(journalPlaces(here, settings).running, run);
  return { directory, ...(await serverOf(settings)), signal, ...(check && { check }) };
}

export async function inPlaceOf(
  settings: RedisSettings,
  run: string,
  { directory, isAppendOnly }: { readonly directory: string; readonly isAppendOnly: boolean },
  signal: AbortSignal,
  check?: Check,
): Promise<InPlace> {
  const { rdb, appendDirectory, append } = settings.files;
  const service = serviceOf(settings);
  return {
    dataDirectory: directory,
    run,
    layout: { rdbFile: rdb, appendDirectory, appendFile: append, isAppendOnly },
    source: (await serverOf(settings)).source,
    ...(service && { service }),
    ...(check && { check }),
    signal,
  };
}

export const keptIn = ({ dataDirectory, run }: InPlace) => path.join(dataDirectory, HOLDFAST, run, 'old');

/** A server counts as started only when it has loaded its data and answers. */
function serviceOf(settings: RedisSettings): ServerService | undefined {
  const { service } = settings;
  if (service === undefined) return undefined;
  const act = async (word: 'start' | 'stop') => {
    const options = { deadlineMs: SERVICE_LIMIT_MS };
    if ('systemd' in service) await runProgram('systemctl', [word, service.systemd], options);
    else if (word === 'start') await runProgram('sh', ['-c', service.commands.start], options);
    // It may fail because nothing runs: whether something does, the directory tells.
    else await tryRun('sh', ['-c', service.commands.stop], options);
  };
  return {
    stop: () => act('stop'),
    start: async () => {
      await act('start');
      await untilAnswers((await serverOf(settings)).source);
    },
  };
}
