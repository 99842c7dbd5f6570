// A process for tests: restores Redis live or in place, rolls it back, or captures append-only files, and is killed at a line of the journal, at a rename in the data directory, while it reads or before it lets go. Argument: JSON.

import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import path from 'node:path';
import { openFileVault } from './open-vault.ts';
import { isAppended, watchJournal } from './watched-journal.ts';

export interface DyingRedis {
  readonly keyFile: string;
  readonly copy: string;
  readonly url: string;
  readonly programs: string;
  readonly what: 'live' | 'in place' | 'capture';
  readonly action: 'restore' | 'rollback';
  /** Live: of the run. Else the data directory. */
  readonly directory: string;
  readonly run: string;
  /** In place: commands. */
  readonly service?: { readonly start: string; readonly stop: string };
  /** Of the snapshot that is captured. */
  readonly number?: number;
  readonly at: {
    readonly line?: number;
    readonly rename?: number;
    readonly isReading?: boolean;
    readonly isLettingGo?: boolean;
  };
}

const asked = JSON.parse(process.argv[2] ?? '{}') as DyingRedis;
const { keyFile, copy, url, programs, directory, run, at } = asked;
const counts = { lines: 0, renames: 0 };
const die = () => process.kill(process.pid, 'SIGKILL');
const { rename, rm } = files;

watchJournal(isAppended, () => {
  if (++counts.lines === at.line) die();
});
files.rename = async (from, to) => {
  await rename(from, to);
  const isThere = [from, to].some((name) => path.dirname(String(name)) === directory);
  if (isThere && ++counts.renames === at.rename) die();
};
files.rm = async (name, options) => {
  if (at.isLettingGo && path.dirname(String(name)).endsWith('/.holdfast/aof')) die();
  await rm(name, options);
};
syncBuiltinESMExports();

const redis = await import('../../src/redis/index.ts');
const { run: runProgram, tryRun } = await import('../../src/process/index.ts');
const { snapshotId } = await import('./vault.ts');
const signal = new AbortController().signal;
const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: copy, offsite: false }] });
const snapshot = (await vault.listSnapshots('redis/cache')).find(({ kind }) => kind === 'rdb');
const source = { url };

async function live(): Promise<void> {
  const place = { directory, source, programs, signal };
  if (asked.action === 'rollback') return await redis.rollbackLive(place);
  const connection = await redis.RedisConnection.open(source);
  const { runId } = await redis.identify(connection);
  connection.close();
  await redis.restoreLive({ ...place, vault, snapshot: snapshot!, runId });
}

async function inPlace(): Promise<void> {
  const { start = '', stop = '' } = asked.service ?? {};
  const service = {
    stop: async () => void (await tryRun('sh', ['-c', stop])),
    start: async () => {
      await runProgram('sh', ['-c', start]);
      await redis.untilAnswers(source);
    },
  };
  const layout = { rdbFile: 'dump.rdb', appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' };
  const place = {
    ...{ dataDirectory: directory, run, source, service, signal },
    layout: { ...layout, isAppendOnly: true },
  };
  if (asked.action === 'rollback') await redis.rollbackInPlace(place);
  else await redis.restoreInPlace({ ...place, vault, snapshot: snapshot!, programs });
}

async function capture(): Promise<void> {
  await redis.captureAof({
    ...{ vault, signal, server: { source, programs } },
    place: { dataDirectory: directory, appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' },
    request: { snapshotId: snapshotId(asked.number ?? 1), component: 'redis/cache', host: 'db1' },
    onProgress: () => {
      if (at.isReading) die();
    },
  });
}

await { live, 'in place': inPlace, capture }[asked.what]();
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);
