// Replies of a Redis server (RESP2) taken out of a stream of bytes, binary-safe, each given when it is whole.

export type Reply = string | number | null | Buffer | ServerReply | readonly Reply[];

/** What the server says when it does not do what was asked: `NOPERM …`. */
export class ServerReply extends Error {
  override readonly name = 'ServerReply';
}

/** More bytes are needed before it makes sense to look again. */
class Incomplete {
  readonly neededBytes: number;

  constructor(neededBytes: number) {
    this.neededBytes = neededBytes;
  }
}

const CR = 0x0d;

export class ReplyParser {
  #pieces: Buffer[] = [];
  #heldBytes = 0;
  #neededBytes = 1;

  /** Gives every reply that is whole by now. Throws `SyntaxError` for what is no reply. */
  push(bytes: Buffer): Reply[] {
    this.#pieces.push(bytes);
    this.#heldBytes += bytes.length;
    if (this.#heldBytes < this.#neededBytes) return [];
    const held = this.#pieces.length === 1 ? bytes : Buffer.concat(this.#pieces);
    const replies: Reply[] = [];
    const reading = new Reading(held);
    let end = 0;
    try {
      while (end < held.length) {
        replies.push(reading.reply());
        end = reading.at;
      }
      this.#neededBytes = 1;
    } catch (error) {
      if (!(error instanceof Incomplete)) throw error;
      this.#neededBytes = error.neededBytes - end;
    }
    const rest = held.subarray(end);
    this.#pieces = rest.length > 0 ? [rest] : [];
    this.#heldBytes = rest.length;
    return replies;
  }
}

class Reading {
  readonly #bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  reply(): Reply {
    const line = this.#line();
    const rest = line.slice(1);
    switch (line[0]) {
      case '+':
        return rest;
      case '-':
        return new ServerReply(rest);
      case ':':
        return Number(rest);
      case '$':
        return this.#bulk(Number(rest));
      case '*':
        return this.#array(Number(rest));
      default:
        throw new SyntaxError('what answers is no Redis server');
    }
  }

  #array(length: number): readonly Reply[] | null {
    if (length < 0) return null;
    const replies: Reply[] = [];
    for (let number = 0; number < length; number++) replies.push(this.reply());
    return replies;
  }

  #bulk(length: number): Buffer | null {
    if (length < 0) return null;
    const end = this.at + length;
    if (end + 2 > this.#bytes.length) throw new Incomplete(end + 2);
    const bulk = Buffer.from(this.#bytes.subarray(this.at, end));
    this.at = end + 2;
    return bulk;
  }

  #line(): string {
    const end = this.#bytes.indexOf(CR, this.at);
    if (end < 0 || end + 2 > this.#bytes.length) throw new Incomplete(this.#bytes.length + 1);
    const line = this.#bytes.toString('latin1', this.at, end);
    this.at = end + 2;
    return line;
  }
}
