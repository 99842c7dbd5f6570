// An RDB that the server writes by itself (BGSAVE), read where it lies, for roles that may not synchronise.

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail } from '../../errors/index.ts';
import { type RedisConnection, redisError, ServerReply } from '../connection/index.ts';
import { type Info, readInfo } from '../identity.ts';

const POLL_MS = 200;
const READ_BYTES = 1024 * 1024;

export interface SavedFile {
  readonly sizeBytes: number;
  readonly bytes: AsyncIterable<Buffer>;
  /** Seconds since 1970 when the server was asked, by its own clock: what it saved was not begun before. */
  readonly notBeforeSeconds: number;
  close(): Promise<void>;
}

/**
 * Throws `REDIS_PRIVILEGE`, `REDIS_UNFIT` when the file cannot be read here, `BACKUP_INVALID` when the save failed. What is open stays whole:
 * a later save renames another file over its name.
 */
export async function saveFile(connection: RedisConnection, signal: AbortSignal): Promise<SavedFile> {
  await requireInStep(connection);
  const file = await fileOf(connection);
  const notBeforeSeconds = await saveOnce(connection, signal);
  const handle = await open(file, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) =>
    fail('REDIS_UNFIT', `'${file}', where '${connection.where}' keeps its RDB, cannot be read here: ${error.code}`, {
      hint: "run the worker on the server's host, as a user that may read it, or capture with 'way: sync'",
      cause: error,
    }),
  );
  const { size, mtimeMs } = await handle.stat();
  if (Math.floor(mtimeMs / 1000) < notBeforeSeconds) {
    await handle.close();
    notTheSaved(connection.where, file, mtimeMs / 1000);
  }
  return { sizeBytes: size, bytes: piecesOf(handle, size), notBeforeSeconds, close: () => handle.close() };
}

/** What lies under the name that the server tells is not what it has saved: another host's, or another mount's. */
export function notTheSaved(where: string, file: string, seconds: number): never {
  return fail(
    'REDIS_UNFIT',
    `'${file}' is of ${new Date(seconds * 1000).toISOString()}, not what '${where}' has just saved`,
    {
      hint: "does the worker run on the server's host, and outside of a container? `way: sync` needs no file",
    },
  );
}

/** As a primary refuses to synchronise from it: what it has may be old. */
async function requireInStep(connection: RedisConnection): Promise<void> {
  const info = await readInfo(connection);
  if (info.get('role') !== 'slave' || info.get('master_link_status') === 'up') return;
  fail('REDIS_UNREACHABLE', `'${connection.where}' is a replica that has lost its primary`, {
    hint: 'this replica has lost its primary, so what it holds may be old: mend that, or give the address of the primary',
  });
}

async function fileOf(connection: RedisConnection): Promise<string> {
  const reply = await connection.call('tell where its RDB is', 'CONFIG', 'GET', 'd*');
  const words = (reply as readonly Buffer[]).map(String);
  const setting = (name: string) => words[words.indexOf(name) + 1] ?? '';
  return path.join(setting('dir'), setting('dbfilename'));
}

/** Gives when it was asked, in seconds of the server's clock. */
async function saveOnce(connection: RedisConnection, signal: AbortSignal): Promise<number> {
  const { where } = connection;
  const before = await begin(connection, signal);
  const askedSeconds = secondsOf(before);
  for (;;) {
    const info = await readInfo(connection);
    const isSaved = savesOf(info) > savesOf(before) && Number(info.get('rdb_last_save_time')) >= askedSeconds;
    if (info.get('rdb_bgsave_in_progress') === '1') await sleep(POLL_MS, undefined, { signal });
    else if (isSaved && info.get('rdb_last_bgsave_status') === 'ok') return askedSeconds;
    else fail('BACKUP_INVALID', `'${where}' could not save its RDB`, { hint: 'its log tells why; is its disk full?' });
  }
}

/** Gives what the server said before ours. One that runs already is of an earlier instant, and is waited for, as a rewrite is. */
async function begin(connection: RedisConnection, signal: AbortSignal): Promise<Info> {
  for (;;) {
    const before = await readInfo(connection);
    const reply = await connection.ask('save its RDB', 'BGSAVE');
    if (!(reply instanceof ServerReply)) return before;
    if (!/in progress|active|already/i.test(reply.message)) throw redisError(reply, connection.where, 'save its RDB');
    await sleep(POLL_MS, undefined, { signal });
  }
}

function savesOf(info: Info): number {
  return Number(info.get('rdb_saves') ?? 0);
}

/** Times of files, and whole seconds, come from a clock of the kernel that is a tick behind at most: 10 ms. */
const GRAIN_SECONDS = 0.05;

/** A server that does not tell its time is on this host all the same. */
function secondsOf(info: Info): number {
  const micros = info.get('server_time_usec');
  return Math.floor((micros === undefined ? Date.now() / 1000 : Number(micros) / 1_000_000) - GRAIN_SECONDS);
}

async function* piecesOf(handle: FileHandle, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < sizeBytes; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
    if (bytesRead === 0) fail('BACKUP_INVALID', 'the RDB became shorter while it was read');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
