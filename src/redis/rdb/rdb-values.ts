// Passes over the values of an RDB, type by type, and counts the elements of those that are asked for (rdb.c, rdbLoadObject).

import { HEAD_BYTES } from './at-hand.ts';
import type { ByteFeed, Reader } from './byte-feed.ts';
import type { RdbStrings } from './rdb-strings.ts';

/** Larger parts are not looked into. */
const MOST_BYTES = 1024 * 1024;
const PACKED_NODE = 2;
/** A listpack that has this many elements or more does not say how many. */
const COUNTLESS = 65_535;

const LONG_LENGTH = 0x81;
const MODULE_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const SCORE_BYTES = 8;
const STREAM_ID_BYTES = 16;
const TIME_BYTES = 8;
const moduleParts = { end: 0, signed: 1, unsigned: 2, float: 3, double: 4, string: 5 } as const;

/** Elements; undefined where nobody asked, or where it cannot be told. */
type Count = number | undefined;

export class RdbValues {
  readonly #feed: ByteFeed;
  readonly #strings: RdbStrings;

  constructor(feed: ByteFeed, strings: RdbStrings) {
    this.#feed = feed;
    this.#strings = strings;
  }

  /** Of a type that `typeName` knows, other than a string or a module's. */
  *pass(type: number, magic: string, isAsked: boolean): Reader<Count> {
    switch (type) {
      case 1:
      case 2:
        return yield* this.#plain(1);
      case 4:
        return yield* this.#plain(2);
      case 3:
        return yield* this.#oldScores();
      case 5:
        return yield* this.#scores();
      case 10:
        return yield* this.#packed(isAsked, zipListCount);
      case 11:
        return yield* this.#packed(isAsked, (bytes) => bytes.readUInt32LE(4));
      case 12:
      case 13:
        return half(yield* this.#packed(isAsked, zipListCount));
      case 9:
        yield* this.#strings.skip(1);
        return undefined;
      case 14:
        return yield* this.#nodes(isAsked, false);
      case 18:
        return yield* this.#nodes(isAsked, true);
      case 16:
      case 17:
        return half(yield* this.#packed(isAsked, listPackCount));
      case 20:
        return yield* this.#packed(isAsked, listPackCount);
      case 15:
      case 19:
      case 21:
        return yield* this.#stream(type);
    }
    yield* this.#expiringFields(type, magic);
    return undefined;
  }

  /** What a module keeps beside the keys: behind its id an opcode and when to load it. Gives the module's name. */
  *moduleAux(): Reader<string> {
    const name = yield* this.#moduleName();
    yield* this.#lengths(2);
    yield* this.#moduleParts();
    return name;
  }

  *module(): Reader<string> {
    const name = yield* this.#moduleName();
    yield* this.#moduleParts();
    return name;
  }

  *#length(): Reader<number> {
    if (this.#feed.left < HEAD_BYTES) yield HEAD_BYTES;
    return this.#strings.length();
  }

  *#lengths(count: number): Reader<void> {
    for (let left = count; left > 0; left--) yield* this.#length();
  }

  *#plain(stringsEach: number): Reader<Count> {
    const count = yield* this.#length();
    yield* this.#strings.skip(count * stringsEach);
    return count;
  }

  *#scores(): Reader<Count> {
    const count = yield* this.#length();
    yield* this.#strings.skip(count, SCORE_BYTES);
    return count;
  }

  /** Scores as text: the length in one byte, the last three of which are no lengths but infinities and no number. */
  *#oldScores(): Reader<Count> {
    const count = yield* this.#length();
    for (let left = count; left > 0; left--) {
      yield* this.#strings.skip(1);
      if (this.#feed.left < HEAD_BYTES) yield HEAD_BYTES;
      const length = this.#strings.byte();
      if (length < 253) yield* this.#strings.skipBytes(length);
    }
    return count;
  }

  *#packed(isAsked: boolean, countIn: (bytes: Buffer) => number): Reader<Count> {
    if (!isAsked) {
      yield* this.#strings.skip(1);
      return undefined;
    }
    const { bytes } = yield* this.#strings.take(MOST_BYTES);
    const count = bytes === undefined ? COUNTLESS : countIn(bytes);
    return count >= COUNTLESS ? undefined : count;
  }

  *#nodes(isAsked: boolean, saysForm: boolean): Reader<Count> {
    const nodes = yield* this.#length();
    let count: Count = isAsked ? 0 : undefined;
    for (let left = nodes; left > 0; left--) {
      const form = saysForm ? yield* this.#length() : PACKED_NODE;
      if (form === PACKED_NODE) {
        const inNode: Count = yield* this.#packed(isAsked, saysForm ? listPackCount : zipListCount);
        count = count === undefined || inNode === undefined ? undefined : count + inNode;
      } else {
        yield* this.#strings.skip(1);
        if (count !== undefined) count += 1;
      }
    }
    return count;
  }

  *#stream(type: number): Reader<Count> {
    const packs = yield* this.#length();
    yield* this.#strings.skip(packs * 2);
    const count = yield* this.#length();
    yield* this.#lengths(2);
    if (type >= 19) yield* this.#lengths(5);
    for (let groups = yield* this.#length(); groups > 0; groups--) {
      yield* this.#strings.skip(1);
      yield* this.#lengths(type >= 19 ? 3 : 2);
      for (let pending = yield* this.#length(); pending > 0; pending--) {
        yield* this.#strings.skipBytes(STREAM_ID_BYTES + TIME_BYTES);
        yield* this.#length();
      }
      for (let consumers = yield* this.#length(); consumers > 0; consumers--) {
        yield* this.#strings.skip(1);
        yield* this.#strings.skipBytes(type >= 21 ? 2 * TIME_BYTES : TIME_BYTES);
        const pending = yield* this.#length();
        yield* this.#strings.skipBytes(pending * STREAM_ID_BYTES);
      }
    }
    return count;
  }

  /** Hashes whose fields may expire: Redis writes the times before the fields, Valkey behind them. */
  *#expiringFields(type: number, magic: string): Reader<void> {
    if (magic === 'VALKEY') {
      for (let fields = yield* this.#length(); fields > 0; fields--) {
        yield* this.#strings.skip(2);
        yield* this.#strings.skipBytes(TIME_BYTES);
      }
      return;
    }
    yield* this.#strings.skipBytes(TIME_BYTES);
    if (type === 25) return yield* this.#strings.skip(1);
    for (let fields = yield* this.#length(); fields > 0; fields--) {
      yield* this.#length();
      yield* this.#strings.skip(2);
    }
  }

  /** Nine characters of six bits, and ten bits of a version (module.c, moduleTypeEncodeId). */
  *#moduleName(): Reader<string> {
    const feed = this.#feed;
    if (feed.left < HEAD_BYTES) yield HEAD_BYTES;
    const isLong = feed.bytes[feed.at] === LONG_LENGTH;
    const id = isLong ? feed.bytes.readBigUInt64BE(feed.at + 1) : 0n;
    this.#strings.length();
    const characters = Array.from(
      { length: 9 },
      (_, index) => MODULE_CHARACTERS[Number((id >> BigInt(58 - index * 6)) & 0x3fn)],
    );
    return isLong ? characters.join('') : 'unknown';
  }

  *#moduleParts(): Reader<void> {
    for (;;) {
      const part = yield* this.#length();
      if (part === moduleParts.end) return;
      if (part === moduleParts.signed || part === moduleParts.unsigned) yield* this.#length();
      else if (part === moduleParts.float) yield* this.#strings.skipBytes(4);
      else if (part === moduleParts.double) yield* this.#strings.skipBytes(8);
      else if (part === moduleParts.string) yield* this.#strings.skip(1);
      else throw new RangeError('the data of a module has a part that does not exist');
    }
  }
}

function half(count: Count): Count {
  return count === undefined ? undefined : count / 2;
}

/** Total length (4), elements (2): listpack.c. */
function listPackCount(bytes: Buffer): number {
  return bytes.readUInt16LE(4);
}

/** Total length (4), tail (4), elements (2): ziplist.c. */
function zipListCount(bytes: Buffer): number {
  return bytes.readUInt16LE(8);
}
