// Whether the server that answers is the one of a data directory, and calls its files as the configuration does: asked before anything is replaced there, and after it was started.

import { fail } from '../../errors/index.ts';
import { type RedisConnection, ServerReply } from '../connection/index.ts';
import type { ServerIdentity } from '../identity.ts';
import { type ServerProcess, serversIn } from './directory-in-use.ts';
import { requireUnwatched } from './live-server.ts';

/** It counts whole seconds, and a busy host answers late. */
const OLDER_SECONDS = 5;
/** The process of a container is first a script, which gives the data its owner, and becomes the server then. */
const YOUNGER_SECONDS = 60;

/** What the server calls its files, as the configuration says. */
export interface DataNames {
  readonly rdbFile: string;
  readonly appendDirectory: string;
  readonly appendFile: string;
}

export interface DataPlace {
  /** Absolute. */
  readonly dataDirectory: string;
  readonly names: DataNames;
  /** Whether it is to read append-only files at its start; undefined: not decided yet. */
  readonly isAppendOnly?: boolean;
}

/**
 * Gives what could not be compared, in words. Throws `TARGET_UNFIT` when the server keeps its data elsewhere or under other names, `REDIS_UNFIT` when
 * what is brought in would not stay: a replica takes everything from its primary, and Sentinel makes one of it.
 */
export async function requireServerOf(
  connection: RedisConnection,
  identity: ServerIdentity,
  place: DataPlace,
): Promise<readonly string[]> {
  const { where } = connection;
  if (identity.role === 'replica') {
    fail('REDIS_UNFIT', `'${where}' is a replica: its primary would send everything again`, {
      hint: 'restore into the primary: its replicas follow it',
    });
  }
  const clients = await connection.ask('see who watches it', 'CLIENT', 'LIST');
  if (!(clients instanceof ServerReply)) requireUnwatched(where, String(clients));
  const settings = await settingsOf(connection);
  await requireProcessOf(connection, identity, place.dataDirectory);
  // This it tells whoever may ask for its state.
  const told = new Map([...(settings ?? []), ['appendonly', identity.isAppendOnly ? 'yes' : 'no'] as const]);
  requireNames(where, told, place);
  return [
    ...(settings === undefined
      ? [
          `our user may not ask for the names of its files ('config|get'): they were not compared with the configuration`,
        ]
      : []),
    ...(clients instanceof ServerReply
      ? [`our user may not see who watches it ('client|list'): under Sentinel it would not stay the primary`]
      : []),
  ];
}

/** Whether the server that answers is a process of this directory. Throws `TARGET_UNFIT`. */
export async function requireProcessOf(
  connection: RedisConnection,
  identity: ServerIdentity,
  dataDirectory: string,
): Promise<void> {
  const { where } = connection;
  const namesakes = (await serversIn(dataDirectory)).filter(({ ownPid }) => ownPid === identity.processId);
  if (namesakes.length > 0) return requireSameLife(where, identity, namesakes, dataDirectory);
  const elsewhere = (await settingsOf(connection))?.get('dir');
  const says = elsewhere === undefined ? '' : `; it keeps its data in '${elsewhere}'`;
  fail(
    'TARGET_UNFIT',
    `'${where}' is process ${identity.processId}, and no such server of this host works in '${dataDirectory}'${says}`,
    { hint: "is 'dataDirectory' that of this server, and does the worker run on its host, outside of a container?" },
  );
}

/** The first process of every container is number 1. */
function requireSameLife(
  where: string,
  { processId, uptimeSeconds = Number.NaN }: ServerIdentity,
  namesakes: readonly ServerProcess[],
  dataDirectory: string,
): void {
  const isSame = ({ aliveSeconds }: ServerProcess) =>
    aliveSeconds === undefined ||
    (uptimeSeconds <= aliveSeconds + OLDER_SECONDS && uptimeSeconds >= aliveSeconds - YOUNGER_SECONDS);
  if (namesakes.some(isSame)) return;
  const seconds = Math.round(namesakes[0]?.aliveSeconds ?? 0);
  fail(
    'TARGET_UNFIT',
    `'${where}' is process ${processId} of a container and runs for ${uptimeSeconds} s, and the one that works in '${dataDirectory}' for ${seconds} s: it is another one`,
    { hint: "is the address that of this server? Where the host's clock was set since it was started, stop it first" },
  );
}

function requireNames(where: string, settings: ReadonlyMap<string, string>, place: DataPlace): void {
  const { names, isAppendOnly } = place;
  const wanted: readonly (readonly [string, string | undefined, string])[] = [
    ['dbfilename', names.rdbFile, 'files.rdb'],
    ['appenddirname', names.appendDirectory, 'files.appendDirectory'],
    ['appendfilename', names.appendFile, 'files.append'],
    ['appendonly', isAppendOnly === undefined ? undefined : isAppendOnly ? 'yes' : 'no', 'the plan'],
  ];
  const wrong = wanted.flatMap(([setting, value, whose]) => {
    const told = settings.get(setting);
    return value === undefined || told === undefined || told === value
      ? []
      : [`its '${setting}' is '${told}', and '${value}' by ${whose}`];
  });
  if (wrong.length === 0) return;
  fail('TARGET_UNFIT', `'${where}' would not read what is brought in: ${wrong.join('; ')}`, {
    hint: "have both say the same, the server's own configuration file too, and plan again",
  });
}

/** Undefined where our user may not ask. */
async function settingsOf(connection: RedisConnection): Promise<ReadonlyMap<string, string> | undefined> {
  const names = ['dir', 'dbfilename', 'appenddirname', 'appendfilename'];
  const reply = await connection.ask('tell where its data is', 'CONFIG', 'GET', ...names);
  if (reply instanceof ServerReply || !Array.isArray(reply)) return undefined;
  const words = reply.map(String);
  return new Map(words.flatMap((word, at) => (at % 2 === 0 ? [[word, words[at + 1] ?? ''] as const] : [])));
}
