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
  close(): Promise<void>;
}

/**
 * Throws `REDIS_PRIVILEGE`, `REDIS_UNFIT` when the file cannot be read here, `BACKUP_INVALID` when the save failed. What is open stays whole:
 * a later save renames another file over its name.
 */
export async function saveFile(connection: RedisConnection, signal: AbortSignal): Promise<SavedFile> {
  const file = await fileOf(connection);
  await saveOnce(connection, signal);
  const handle = await open(file, constants.O_RDONLY).catch((error: NodeJS.ErrnoException) =>
    fail('REDIS_UNFIT', `'${file}', where '${connection.where}' keeps its RDB, cannot be read here: ${error.code}`, {
      hint: "run the worker on the server's host, as a user that may read it, or capture with 'way: sync'",
      cause: error,
    }),
  );
  const { size } = await handle.stat();
  return { sizeBytes: size, bytes: piecesOf(handle, size), close: () => handle.close() };
}

async function fileOf(connection: RedisConnection): Promise<string> {
  const reply = await connection.call('tell where its RDB is', 'CONFIG', 'GET', 'd*');
  const words = (reply as readonly Buffer[]).map(String);
  const setting = (name: string) => words[words.indexOf(name) + 1] ?? '';
  return path.join(setting('dir'), setting('dbfilename'));
}

async function saveOnce(connection: RedisConnection, signal: AbortSignal): Promise<void> {
  const { where } = connection;
  const before = await begin(connection, signal);
  for (;;) {
    const info = await readInfo(connection);
    if (info.get('rdb_bgsave_in_progress') === '1') await sleep(POLL_MS, undefined, { signal });
    else if (savesOf(info) > before) return;
    else fail('BACKUP_INVALID', `'${where}' could not save its RDB`, { hint: 'its log tells why; is its disk full?' });
  }
}

/** Gives the number of saves before ours. One that runs already is of an earlier instant, and is waited for, as a rewrite is. */
async function begin(connection: RedisConnection, signal: AbortSignal): Promise<number> {
  for (;;) {
    const before = savesOf(await readInfo(connection));
    const reply = await connection.ask('save its RDB', 'BGSAVE');
    if (!(reply instanceof ServerReply)) return before;
    if (!/in progress|active|already/i.test(reply.message)) throw redisError(reply, connection.where, 'save its RDB');
    await sleep(POLL_MS, undefined, { signal });
  }
}

function savesOf(info: Info): number {
  return Number(info.get('rdb_saves') ?? 0);
}

async function* piecesOf(handle: FileHandle, sizeBytes: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < sizeBytes; ) {
    const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(READ_BYTES), 0, READ_BYTES, at);
    if (bytesRead === 0) fail('BACKUP_INVALID', 'the RDB became shorter while it was read');
    at += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
