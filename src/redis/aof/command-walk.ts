// One pass over an append-only file: where its last whole command ends, what times it notes, and where a moment lies in it.

import { ByteFeed, type Reader } from '../rdb/byte-feed.ts';

export interface WalkedCommands {
  readonly commands: number;
  /** Behind the last command that is whole, and in no transaction that is not. */
  readonly wholeBytes: number;
  /** Seconds since 1970 that the server noted (`aof-timestamp-enabled`); absent where it noted none. */
  readonly firstSeconds?: number;
  readonly lastSeconds?: number;
  /** What is behind `wholeBytes` is no beginning of a command: the file is damaged. */
  readonly damage?: string;
}

const NEWLINE = 0x0a;
const LONGEST_LINE = 256;

export class CommandWalk {
  readonly #feed = new ByteFeed();
  readonly #untilSeconds: number;
  #sizeBytes = 0;
  #commands = 0;
  #wholeBytes = 0;
  #firstSeconds: number | undefined;
  #lastSeconds: number | undefined;
  #damage: string | undefined;
  #isOver = false;
  #isInTransaction = false;

  /** What comes in a later second is not counted. Default everything. */
  constructor(untilSeconds = Number.POSITIVE_INFINITY) {
    this.#untilSeconds = untilSeconds;
    this.#feed.read(this.#walk());
  }

  /** The moment was reached: nothing behind it is looked at. */
  get isOver(): boolean {
    return this.#isOver;
  }

  push(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#damage !== undefined || this.#isOver) return;
    try {
      this.#feed.push(chunk);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      this.#damage = error.message;
    }
  }

  end(): WalkedCommands {
    const [firstSeconds, lastSeconds, damage] = [this.#firstSeconds, this.#lastSeconds, this.#damage];
    return {
      commands: this.#commands,
      wholeBytes: this.#wholeBytes,
      ...(firstSeconds !== undefined && { firstSeconds }),
      ...(lastSeconds !== undefined && { lastSeconds }),
      ...(damage !== undefined && { damage }),
    };
  }

  get #position(): number {
    return this.#sizeBytes - this.#feed.left;
  }

  *#walk(): Reader<void> {
    for (;;) {
      const line = yield* this.#line();
      if (line.startsWith('#')) {
        if (this.#note(line)) return;
        if (!this.#isInTransaction) this.#wholeBytes = this.#position;
        continue;
      }
      const words = numberOf(line, '*');
      const name = yield* this.#word();
      for (let left = words - 1; left > 0; left--) yield* this.#skipWord();
      this.#commands++;
      this.#follow(name.toUpperCase());
    }
  }

  #follow(name: string): void {
    if (name === 'MULTI') this.#isInTransaction = true;
    if (name === 'EXEC') this.#isInTransaction = false;
    if (!this.#isInTransaction) this.#wholeBytes = this.#position;
  }

  /** True when what follows is of a later second than is wanted. */
  #note(line: string): boolean {
    const seconds = /^#TS:(\d+)$/.exec(line)?.[1];
    if (seconds === undefined) return false;
    this.#isOver = Number(seconds) > this.#untilSeconds;
    if (this.#isOver) return true;
    this.#firstSeconds ??= Number(seconds);
    this.#lastSeconds = Number(seconds);
    return false;
  }

  *#line(): Reader<string> {
    const feed = this.#feed;
    for (;;) {
      const end = feed.bytes.indexOf(NEWLINE, feed.at);
      if (end >= 0) {
        const line = feed.bytes.toString('latin1', feed.at, end).replace(/\r$/, '');
        feed.at = end + 1;
        return line;
      }
      if (feed.left > LONGEST_LINE) throw new RangeError('a line has no end');
      yield feed.left + 1;
    }
  }

  *#word(): Reader<string> {
    const feed = this.#feed;
    const length = numberOf(yield* this.#line(), '$');
    if (length > LONGEST_LINE) {
      yield* this.#skip(length + 2);
      return '';
    }
    if (feed.left < length + 2) yield length + 2;
    const word = feed.bytes.toString('latin1', feed.at, feed.at + length);
    feed.at += length + 2;
    return word;
  }

  *#skipWord(): Reader<void> {
    yield* this.#skip(numberOf(yield* this.#line(), '$') + 2);
  }

  *#skip(count: number): Reader<void> {
    this.#feed.skip(count);
    if (this.#feed.isSkipping) yield 0;
  }
}

function numberOf(line: string, sign: string): number {
  const digits = /^[*$](\d{1,10})$/.exec(line)?.[1];
  if (digits === undefined || line[0] !== sign) throw new RangeError(`'${line.slice(0, 20)}' is no part of a command`);
  return Number(digits);
}
