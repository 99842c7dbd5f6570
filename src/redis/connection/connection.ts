// One connection to a Redis server: commands out, replies in their order, a limit on how long each may take.

import { readFile } from 'node:fs/promises';
import net from 'node:net';
import tls from 'node:tls';
import { HoldfastError } from '../../errors/index.ts';
import { parseAddress, type RedisAddress } from './address.ts';
import { NO_TLS, NO_WORD, redisError } from './errors.ts';
import { type Reply, ReplyParser, ServerReply } from './reply.ts';

/** How a server is reached. */
export interface RedisSource {
  /** With user and password; see `parseAddress`. */
  readonly url: string;
  /** PEM file of the authority that signed the server's certificate; default those that Node knows. */
  readonly caFile?: string;
}

export type Word = string | number | Uint8Array;

export interface OpenOptions {
  readonly signal?: AbortSignal;
  /** For the connection and for each reply; default 60,000. */
  readonly replyMs?: number;
}

interface Waiting {
  readonly resolve: (reply: Reply) => void;
  readonly reject: (error: unknown) => void;
}

const DEFAULT_REPLY_MS = 60_000;

export class RedisConnection {
  /** For people. */
  readonly where: string;
  readonly #socket: net.Socket;
  readonly #parser = new ReplyParser();
  readonly #waiting: Waiting[] = [];
  readonly #replyMs: number;
  #hasAnswered = false;
  #failure: unknown;
  #timer: NodeJS.Timeout | undefined;

  private constructor(where: string, socket: net.Socket, replyMs: number) {
    this.where = where;
    this.#socket = socket;
    this.#replyMs = replyMs;
    socket.on('data', this.#onData);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /** Connected and logged in. Throws `REDIS_UNREACHABLE`, `REDIS_AUTH`, `CANCELLED`. */
  static async open(source: RedisSource, { signal, replyMs = DEFAULT_REPLY_MS }: OpenOptions = {}) {
    const address = parseAddress(source.url);
    const socket = await connect(address, source.caFile, replyMs).catch((error: unknown) => {
      throw redisError(error, address.text, 'connect');
    });
    const connection = new RedisConnection(address.text, socket, replyMs);
    const stop = () => connection.#fail(new HoldfastError('CANCELLED', 'the operation was cancelled'));
    if (signal?.aborted) stop();
    signal?.addEventListener('abort', stop, { once: true });
    socket.once('close', () => signal?.removeEventListener('abort', stop));
    try {
      const { username, password } = address;
      if (password !== undefined) {
        await connection.call('log in', 'AUTH', ...(username === undefined ? [] : [username]), password);
      }
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** `doing`: the end of a sentence for people, such as `read its state`. Throws the `REDIS_…` errors. */
  async call(doing: string, ...words: readonly Word[]): Promise<Reply> {
    const reply = await this.#send(words).catch((error: unknown) => {
      throw redisError(error, this.where, doing);
    });
    if (reply instanceof ServerReply) throw redisError(reply, this.where, doing);
    return reply;
  }

  /** What the server answers, its refusals included; throws only when no answer comes. */
  async ask(doing: string, ...words: readonly Word[]): Promise<Reply> {
    return await this.#send(words).catch((error: unknown) => {
      throw redisError(error, this.where, doing);
    });
  }

  async text(doing: string, ...words: readonly Word[]): Promise<string> {
    const reply = await this.call(doing, ...words);
    return Buffer.isBuffer(reply) ? reply.toString('utf8') : String(reply);
  }

  /** All at once; refusals are among the replies. */
  async pipeline(doing: string, commands: readonly (readonly Word[])[]): Promise<readonly Reply[]> {
    return await Promise.all(commands.map((words) => this.ask(doing, ...words)));
  }

  /** The socket for a conversation that is no question and answer any more; nothing may be waited for. */
  handOver(): net.Socket {
    if (this.#waiting.length > 0) throw new HoldfastError('INTERNAL', 'a reply is still waited for');
    clearTimeout(this.#timer);
    this.#socket.pause();
    this.#socket.off('data', this.#onData);
    this.#socket.off('error', this.#onError);
    this.#socket.off('close', this.#onClose);
    return this.#socket;
  }

  /** The address that the server sees us at, and its own: where it can connect back to, and who may. By a local socket: this host. */
  get ends(): { readonly host: string; readonly peer: string | undefined } {
    const { localAddress, remoteAddress } = this.#socket;
    return localAddress === undefined
      ? { host: '127.0.0.1', peer: undefined }
      : { host: localAddress, peer: remoteAddress };
  }

  close(): void {
    this.#fail(new HoldfastError('CANCELLED', 'the connection was closed'));
  }

  #send(words: readonly Word[]): Promise<Reply> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (this.#waiting.length === 1) this.#watch();
      this.#socket.write(encodeCommand(words));
    });
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#waiting.length === 0) return;
    const late = () => this.#fail(new Error(`no answer came within ${this.#replyMs / 1000} s`));
    this.#timer = setTimeout(late, this.#replyMs);
  }

  readonly #onData = (bytes: Buffer): void => {
    try {
      for (const reply of this.#parser.push(bytes)) {
        this.#hasAnswered = true;
        this.#waiting.shift()?.resolve(reply);
      }
      this.#watch();
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #onError = (error: NodeJS.ErrnoException): void =>
    this.#fail(error.code === 'ECONNRESET' && !this.#hasAnswered ? new Error(NO_WORD, { cause: error }) : error);

  readonly #onClose = (): void =>
    this.#fail(new Error(this.#hasAnswered ? 'the server closed the connection' : NO_WORD));

  #fail(error: unknown): void {
    this.#failure ??= error;
    clearTimeout(this.#timer);
    this.#socket.destroy();
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}

/** As servers read commands: an array of bulk strings. */
export function encodeCommand(words: readonly Word[]): Buffer {
  const parts: Uint8Array[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) {
    const bytes = typeof word === 'object' ? word : Buffer.from(String(word));
    parts.push(Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n'));
  }
  return Buffer.concat(parts);
}

async function connect({ place }: RedisAddress, caFile: string | undefined, limitMs: number): Promise<net.Socket> {
  const ca = caFile === undefined ? undefined : await readFile(caFile);
  const isSecure = 'tls' in place && place.tls;
  const socket = isSecure
    ? tls.connect({ host: place.host, port: place.port, servername: servername(place.host), ...(ca && { ca }) })
    : net.connect('path' in place ? { path: place.path } : { host: place.host, port: place.port });
  socket.setKeepAlive(true, 30_000);
  socket.setNoDelay(true);
  return await new Promise((resolve, reject) => {
    const late = () => {
      const silent = isSecure && !socket.connecting ? NO_TLS : 'no connection';
      socket.destroy(new Error(`${silent} within ${limitMs / 1000} s`));
    };
    const timer = setTimeout(late, limitMs);
    const settle = (act: () => void) => {
      clearTimeout(timer);
      socket.removeAllListeners('error');
      act();
    };
    socket.once('error', (error) => settle(() => reject(error)));
    socket.once(isSecure ? 'secureConnect' : 'connect', () => settle(() => resolve(socket)));
  });
}

/** An address is no name (RFC 6066, section 3). */
function servername(host: string): string {
  return net.isIP(host) === 0 ? host : '';
}
