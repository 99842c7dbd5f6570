// Answers one replica as its primary would, and sends it an RDB: how a running server takes data without a file of ours in its directory.

import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { ReplyParser } from '../connection/reply.ts';

export interface ServedRdb {
  readonly host: string;
  readonly port: number;
  readonly progress: Readonly<Progress>;
  close(): Promise<void>;
}

export interface Progress {
  /** How often the replica asked for the RDB. */
  transfers: number;
  /** Of the last transfer. */
  sentBytes: number;
  /** Why none can be sent any more. */
  failure?: unknown;
}

export interface ServeOptions {
  readonly file: string;
  /** Address that we listen on. */
  readonly host: string;
  /** The only address that gets an answer; undefined: any on this host. */
  readonly peer: string | undefined;
  /** Awaited before the first byte of each transfer: from then on the replica may drop what it has. */
  readonly beforeSending: () => Promise<void>;
}

/** Further attempts of the same replica are answered too: it tries again when its disk was full for a moment. */
export async function serveRdb({ file, host, peer, beforeSending }: ServeOptions): Promise<ServedRdb> {
  const { size } = await stat(file);
  const sockets = new Set<net.Socket>();
  const progress: Progress = { transfers: 0, sentBytes: 0 };
  const send = async (socket: net.Socket) => {
    progress.transfers++;
    progress.sentBytes = 0;
    try {
      await beforeSending();
    } catch (error) {
      progress.failure = error;
      socket.destroy();
      return;
    }
    await sendFile(socket, file, size, progress);
  };
  const server = net.createServer((socket) => {
    if (peer !== undefined && plainAddress(socket.remoteAddress) !== plainAddress(peer)) {
      socket.destroy();
      return;
    }
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    answer(socket, send);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, host, resolve);
  });
  const { port } = server.address() as net.AddressInfo;
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { host, port, progress, close };
}

function answer(socket: net.Socket, send: (socket: net.Socket) => Promise<void>): void {
  const parser = new ReplyParser();
  socket.on('data', (bytes) => {
    try {
      for (const command of parser.push(bytes)) {
        const [name = '', what = ''] = Array.isArray(command) ? command.map(String) : [];
        const reply = replyTo(name.toUpperCase(), what.toUpperCase());
        if (reply !== undefined) socket.write(reply);
        if (name.toUpperCase() === 'PSYNC') void send(socket);
      }
    } catch {
      socket.destroy();
    }
  });
}

/** What it logs in with is taken unread: it is the password of a primary that we are not. */
function replyTo(name: string, what: string): string | undefined {
  if (name === 'PING') return '+PONG\r\n';
  if (name === 'AUTH') return '+OK\r\n';
  if (name === 'REPLCONF') return what === 'ACK' ? undefined : '+OK\r\n';
  if (name === 'PSYNC') return `+FULLRESYNC ${randomBytes(20).toString('hex')} 0\r\n`;
  return '-ERR unknown command\r\n';
}

async function sendFile(socket: net.Socket, file: string, size: number, progress: Progress): Promise<void> {
  socket.write(`$${size}\r\n`);
  const bytes = createReadStream(file, { highWaterMark: 1024 * 1024 });
  bytes.on('data', (chunk) => {
    progress.sentBytes += chunk.length;
  });
  // A replica that goes away comes again, or the one who waits for it says that it did not.
  await pipeline(bytes, socket, { end: false }).catch(() => socket.destroy());
}

/** An IPv4 address as such, also where the socket is one for both. */
function plainAddress(address: string | undefined): string | undefined {
  return address?.replace(/^::ffff:/, '');
}
