// Receives an RDB as a replica does: asks for a synchronisation and gives the file's bytes, in either form of transfer, as they come.

import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fail, HoldfastError } from '../../errors/index.ts';
import { encodeCommand, RedisConnection, type RedisSource, redisError, ServerReply } from '../connection/index.ts';

export interface Synchronisation {
  /** Of the primary's stream of commands, where the RDB stands in it; -1 of a server that was a replica and never received anything. */
  readonly replicationId: string;
  readonly offset: number;
  /** Announced with its length, or ended by a mark. */
  readonly form: 'length' | 'mark';
  /** Of the RDB; only where it was announced. */
  readonly sizeBytes?: number;
  /** To be read once. Throws `REDIS_UNREACHABLE` when it ends early, and ends exactly with the RDB. */
  readonly bytes: AsyncIterable<Buffer>;
  close(): void;
}

export interface SynchroniseOptions {
  readonly signal?: AbortSignal;
  /** When a byte is waited for so long the server is given up; default 120,000. A primary says every ten seconds that it is still at it. */
  readonly idleMs?: number;
}

const MARK_BYTES = 40;
const DEFAULT_IDLE_MS = 120_000;
const LONGEST_LINE = 1024;
/** The server's child ends once it has sent the mark. To go before is harmless, and logged by the server as if something had gone wrong. */
const FAREWELL_MS = 100;

/**
 * Throws `REDIS_PRIVILEGE` and the other `REDIS_…` errors. Nothing is acknowledged, so the server sends no commands behind the RDB, and keeps none
 * for us (`rdb-only`, 7.0 and later).
 */
export async function synchronise(source: RedisSource, options: SynchroniseOptions = {}): Promise<Synchronisation> {
  const connection = await RedisConnection.open(source, options.signal ? { signal: options.signal } : {});
  const { where } = connection;
  try {
    await connection.call('synchronise', 'PING');
    await connection.call('synchronise', 'REPLCONF', 'capa', 'eof', 'capa', 'psync2');
    // A server that does not know it keeps the commands for us until we go: no harm.
    const alone = await connection.ask('synchronise', 'REPLCONF', 'rdb-only', 1);
    if (alone instanceof ServerReply && /^NOPERM/.test(alone.message)) throw redisError(alone, where, 'synchronise');
  } catch (error) {
    connection.close();
    throw error;
  }
  const incoming = new Incoming(connection.handOver(), where, options);
  try {
    return await beginTransfer(incoming);
  } catch (error) {
    incoming.close();
    throw error;
  }
}

/**
 * Whether our user may do it, without doing it: the offset is none, which the server looks at only after the permission. Throws
 * `REDIS_PRIVILEGE`. Costs the server nothing.
 */
export async function requireSynchronising(connection: RedisConnection): Promise<void> {
  const commands = [['PING'], ['REPLCONF', 'capa', 'eof'], ['PSYNC', '?', 'none']];
  for (const words of commands) {
    const reply = await connection.ask('synchronise', ...words);
    if (reply instanceof ServerReply && /^NOPERM/.test(reply.message))
      throw redisError(reply, connection.where, 'synchronise');
  }
}

async function beginTransfer(incoming: Incoming): Promise<Synchronisation> {
  incoming.write(encodeCommand(['PSYNC', '?', '-1']));
  const answer = await incoming.line();
  if (answer.startsWith('-')) throw redisError(new ServerReply(answer.slice(1)), incoming.where, 'synchronise');
  const [, replicationId, offset] = /^\+FULLRESYNC ([0-9a-f]{40}) (-?\d+)$/.exec(answer) ?? [];
  if (replicationId === undefined) {
    fail('REDIS_UNFIT', `'${incoming.where}' answers a synchronisation with '${answer.slice(0, 80)}'`);
  }
  const header = await incoming.line();
  const begun = { replicationId, offset: Number(offset), close: () => incoming.close() };
  const [, mark] = /^\$EOF:(.{40})$/.exec(header) ?? [];
  if (mark !== undefined) return { ...begun, form: 'mark', bytes: incoming.untilMark(Buffer.from(mark, 'latin1')) };
  const [, length] = /^\$(\d+)$/.exec(header) ?? [];
  if (length === undefined) {
    fail('REDIS_UNREACHABLE', `'${incoming.where}' sends no RDB: '${header.slice(0, 80)}'`);
  }
  const sizeBytes = Number(length);
  return { ...begun, form: 'length', sizeBytes, bytes: incoming.exactly(sizeBytes) };
}

/**
 * The server's side of the conversation, as lines and as bytes. Once it was asked, nothing is said any more: a server that has sent everything goes, and
 * whoever writes to it then loses what he has not read yet. It wants no sign of life of those that receive an RDB.
 */
class Incoming {
  readonly where: string;
  readonly #socket: net.Socket;
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #signal: AbortSignal | undefined;
  readonly #idleMs: number;
  readonly #stop = (): void => void this.#socket.destroy();
  #rest = Buffer.alloc(0);
  #problem: HoldfastError | undefined;

  constructor(socket: net.Socket, where: string, { signal, idleMs = DEFAULT_IDLE_MS }: SynchroniseOptions) {
    this.where = where;
    this.#socket = socket;
    this.#signal = signal;
    this.#chunks = socket[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    this.#idleMs = idleMs;
    socket.on('timeout', () => {
      this.#problem = new HoldfastError('REDIS_UNREACHABLE', `'${where}' sent nothing for ${idleMs / 1000} s`);
      socket.destroy();
    });
    signal?.addEventListener('abort', this.#stop, { once: true });
  }

  write(bytes: Buffer): void {
    this.#socket.write(bytes);
  }

  /** The next line that is not empty: empty ones say that the server is still at it. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#rest.indexOf(0x0a);
      if (end >= 0) {
        const line = this.#rest.toString('latin1', 0, end).replace(/\r$/, '');
        this.#rest = this.#rest.subarray(end + 1);
        if (line !== '') return line;
      } else {
        if (this.#rest.length > LONGEST_LINE) fail('REDIS_UNFIT', `what answers at '${this.where}' is no Redis server`);
        this.#rest = Buffer.concat([this.#rest, await this.#next()]);
      }
    }
  }

  async *exactly(sizeBytes: number): AsyncGenerator<Buffer> {
    try {
      for (let left = sizeBytes; left > 0; ) {
        const chunk = this.#rest.length > 0 ? this.#take() : await this.#next();
        const wanted = chunk.subarray(0, left);
        left -= wanted.length;
        yield wanted;
      }
    } finally {
      this.close();
    }
  }

  /**
   * The mark is random, so the RDB does not hold it; nothing follows it, because nothing was acknowledged. What came last is held back, and is
   * not copied unless the mark may lie across its end: a copy of everything would cost as much as counting its keys.
   */
  async *untilMark(mark: Buffer): AsyncGenerator<Buffer> {
    try {
      for (let last = this.#take(); ; ) {
        const end = Math.max(0, last.length - MARK_BYTES);
        if (last.subarray(end).equals(mark)) {
          if (end > 0) yield last.subarray(0, end);
          await sleep(FAREWELL_MS);
          return;
        }
        const next = await this.#next();
        const safe = Math.max(0, last.length - Math.max(0, MARK_BYTES - next.length));
        if (safe > 0) yield last.subarray(0, safe);
        last = safe < last.length ? Buffer.concat([last.subarray(safe), next]) : next;
      }
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#signal?.removeEventListener('abort', this.#stop);
    this.#socket.destroy();
  }

  #take(): Buffer {
    const chunk = this.#rest;
    this.#rest = Buffer.alloc(0);
    return chunk;
  }

  async #next(): Promise<Buffer> {
    // Only while it is waited for: whoever takes long over what has come is not the server's silence.
    this.#socket.setTimeout(this.#idleMs);
    try {
      const { value, done } = await this.#chunks.next();
      this.#socket.setTimeout(0);
      if (done !== true) return value;
    } catch (error) {
      this.#throwReason();
      throw redisError(error, this.where, 'synchronise');
    }
    this.#throwReason();
    return fail('REDIS_UNREACHABLE', `'${this.where}' ended the transfer of its data before the end`, {
      hint: 'its log tells why; a slow receiver may exceed `client-output-buffer-limit replica` or `repl-timeout`',
    });
  }

  #throwReason(): void {
    if (this.#signal?.aborted) fail('CANCELLED', 'the synchronisation was cancelled');
    if (this.#problem) throw this.#problem;
  }
}
