// PostgreSQL's messages over one socket after the log-in: whole messages in, bytes out, and the socket pauses when nobody takes them.

import type { Duplex } from 'node:stream';
import { HoldfastError } from '../../errors/index.ts';

/** First byte of a message from the server (PostgreSQL manual, "Message Formats"). */
export const messageTypes = {
  commandComplete: 0x43,
  copyBoth: 0x57,
  copyData: 0x64,
  copyDone: 0x63,
  copyIn: 0x47,
  copyOut: 0x48,
  dataRow: 0x44,
  error: 0x45,
  notice: 0x4e,
  parameterStatus: 0x53,
  readyForQuery: 0x5a,
  rowDescription: 0x54,
} as const;

export interface WireMessage {
  readonly type: number;
  /** Without type and length. Nobody overwrites it later. */
  readonly body: Buffer;
}

export interface PiecesMessage {
  readonly type: number;
  /** Without type and length, as it came: mostly a few pieces, which are gone when the next message is asked for. */
  readonly pieces: readonly Buffer[];
}

/** More than this waiting in memory pauses the socket, which makes the server wait. */
const HIGH_WATER_BYTES = 4 * 1024 * 1024;
const HEADER_BYTES = 5;
/** Larger than any message these conversations hold (a manifest comes in pieces); a larger length means we lost the thread. */
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;

/** One reader at a time. Every promise ends: by a message, by the connection's end, or by the deadline given. */
export class Wire {
  private readonly socket: Duplex;
  private chunks: Buffer[] = [];
  private chunkOffset = 0;
  /** Chunks of which somebody has a part that nobody overwrites. */
  private readonly kept = new WeakSet<Buffer>();
  /** Chunks that are read to their end, of which the last message in pieces may be a part. */
  private spent: Buffer[] = [];
  private availableBytes = 0;
  private awaitedBytes = 0;
  private paused = false;
  private end: HoldfastError | undefined;
  private wake: (() => void) | undefined;
  private readonly giveBack: (chunk: Buffer) => void;

  /** `giveBack`: takes chunks of which nobody has anything any more. */
  constructor(socket: Duplex, giveBack: (chunk: Buffer) => void) {
    this.socket = socket;
    this.giveBack = giveBack;
    socket.on('data', (chunk: Buffer) => this.onData(chunk));
    socket.on('error', (cause) => this.close(lost(cause.message, cause)));
    socket.on('end', () => this.close(lost('the server closed it')));
    socket.on('close', () => this.close(lost('it was closed')));
    socket.resume();
  }

  /** The next message. Throws `DATABASE_UNREACHABLE` when the connection ends or nothing comes for `silenceMs`. */
  async next(silenceMs?: number): Promise<WireMessage> {
    for (;;) {
      const message = this.tryNext();
      if (message !== undefined) return message;
      if (this.end !== undefined) throw this.end;
      await this.arrival(silenceMs);
    }
  }

  /** The next message if it is here already. */
  tryNext(): WireMessage | undefined {
    const head = this.takeHead();
    return head && { type: head.type, body: this.take(head.bodyBytes) };
  }

  /** Of a message that is here as a whole. */
  private takeHead(): { readonly type: number; readonly bodyBytes: number } | undefined {
    if (this.availableBytes < HEADER_BYTES) return undefined;
    const first = this.chunks[0]!;
    const header =
      first.length - this.chunkOffset >= HEADER_BYTES
        ? first.subarray(this.chunkOffset, this.chunkOffset + HEADER_BYTES)
        : Buffer.concat([first.subarray(this.chunkOffset), ...this.chunks.slice(1)]).subarray(0, HEADER_BYTES);
    // The length counts itself but not the type.
    const bodyBytes = header.readUInt32BE(1) - 4;
    if (bodyBytes > MAX_MESSAGE_BYTES) throw this.broken(lost('its messages make no sense'));
    if (this.availableBytes < HEADER_BYTES + bodyBytes) {
      this.awaitedBytes = HEADER_BYTES + bodyBytes;
      this.balance();
      return undefined;
    }
    this.awaitedBytes = 0;
    const type = header[0]!;
    for (let left = HEADER_BYTES; left > 0; ) {
      const count = Math.min(left, this.chunks[0]!.length - this.chunkOffset);
      left -= count;
      this.skip(count);
    }
    return { type, bodyBytes };
  }

  /** As `next`, nothing copied: what streams on and on would leave its weight in garbage several times. */
  async nextInPieces(silenceMs?: number): Promise<PiecesMessage> {
    for (;;) {
      const message = this.tryNextInPieces();
      if (message !== undefined) return message;
      if (this.end !== undefined) throw this.end;
      await this.arrival(silenceMs);
    }
  }

  /** As `tryNext`, like `nextInPieces`. */
  tryNextInPieces(): PiecesMessage | undefined {
    for (const chunk of this.spent.splice(0)) this.giveBack(chunk);
    const head = this.takeHead();
    if (head === undefined) return undefined;
    const pieces: Buffer[] = [];
    for (let left = head.bodyBytes; left > 0; ) {
      const first = this.chunks[0]!;
      const piece = first.subarray(this.chunkOffset, this.chunkOffset + left);
      pieces.push(piece);
      left -= piece.length;
      this.skip(piece.length);
      if (this.chunks[0] !== first && !this.kept.has(first)) this.spent.push(first);
    }
    this.balance();
    return { type: head.type, pieces };
  }

  /** Resolves at once or when something came; for callers that wait for several things. */
  readable(silenceMs?: number): Promise<void> {
    return this.availableBytes > 0 || this.end !== undefined ? Promise.resolve() : this.arrival(silenceMs);
  }

  /** The error that ended the connection. */
  get failure(): HoldfastError | undefined {
    return this.end;
  }

  query(sql: string): void {
    const text = Buffer.from(`${sql}\0`, 'utf8');
    this.write('Q', text);
  }

  copyData(body: Buffer): void {
    this.write('d', body);
  }

  copyDone(): void {
    this.write('c', Buffer.alloc(0));
  }

  /** Resolves when the socket takes more: what waits to be sent stays small. Throws `DATABASE_UNREACHABLE` when the connection ends or nothing goes for `silenceMs`. */
  async drained(silenceMs: number): Promise<void> {
    if (this.end !== undefined) throw this.end;
    if (!this.socket.writableNeedDrain) return;
    await new Promise<void>((resolve, reject) => {
      const settle = (reason?: HoldfastError) => {
        clearTimeout(timer);
        this.socket.off('drain', onDrain).off('close', onClose);
        if (reason === undefined) resolve();
        else reject(reason);
      };
      const onDrain = () => settle();
      const onClose = () => settle(this.end ?? lost('it was closed'));
      const timer = setTimeout(() => settle(this.broken(lost('the server takes no more'))), silenceMs);
      this.socket.once('drain', onDrain).once('close', onClose);
    });
  }

  /** Drops the connection; everybody who waits gets `reason`. */
  broken(reason: HoldfastError): HoldfastError {
    this.close(reason);
    this.socket.destroy();
    return reason;
  }

  private write(type: string, body: Buffer): void {
    const header = Buffer.alloc(HEADER_BYTES);
    header.write(type, 0, 'latin1');
    header.writeUInt32BE(body.length + 4, 1);
    if (this.socket.writable) this.socket.write(Buffer.concat([header, body]));
  }

  private onData(chunk: Buffer): void {
    this.chunks.push(chunk);
    this.availableBytes += chunk.length;
    // A message that is still coming must come in whole, however large, or it would never be taken.
    if (this.availableBytes > Math.max(HIGH_WATER_BYTES, this.awaitedBytes)) {
      this.paused = true;
      this.socket.pause();
    }
    this.wake?.();
  }

  private take(size: number): Buffer {
    const first = this.chunks[0];
    let taken: Buffer;
    if (first === undefined || size === 0) taken = Buffer.alloc(0);
    else if (first.length - this.chunkOffset >= size) {
      taken = first.subarray(this.chunkOffset, this.chunkOffset + size);
      this.kept.add(first);
      this.skip(size);
    } else {
      taken = Buffer.allocUnsafe(size);
      for (let filled = 0; filled < size; ) {
        const chunk = this.chunks[0]!;
        const part = chunk.subarray(this.chunkOffset, this.chunkOffset + size - filled);
        taken.set(part, filled);
        filled += part.length;
        this.skip(part.length);
      }
    }
    this.balance();
    return taken;
  }

  private skip(size: number): void {
    this.chunkOffset += size;
    this.availableBytes -= size;
    if (this.chunkOffset === this.chunks[0]!.length) {
      this.chunks.shift();
      this.chunkOffset = 0;
    }
  }

  private balance(): void {
    if (this.paused && this.availableBytes < Math.max(HIGH_WATER_BYTES / 2, this.awaitedBytes)) {
      this.paused = false;
      this.socket.resume();
    }
  }

  private arrival(silenceMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: NodeJS.Timeout | undefined;
      this.wake = () => {
        clearTimeout(timer);
        this.wake = undefined;
        resolve();
      };
      if (silenceMs === undefined) return;
      timer = setTimeout(() => {
        this.wake = undefined;
        reject(this.broken(lost(`the server was silent for ${Math.round(silenceMs / 1000)} s`)));
      }, silenceMs);
    });
  }

  private close(reason: HoldfastError): void {
    this.end ??= reason;
    this.wake?.();
  }
}

function lost(why: string, cause?: unknown): HoldfastError {
  return new HoldfastError('DATABASE_UNREACHABLE', `the connection to the database was lost: ${why}`, { cause });
}
