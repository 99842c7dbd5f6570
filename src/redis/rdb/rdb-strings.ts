// Lengths and strings of an RDB: plain, as small numbers, or shortened (rdb.c, rdbLoadLenByRef and rdbGenericLoadStringObject).

import { ELSEWHERE, endOfString, HEAD_BYTES } from './at-hand.ts';
import type { ByteFeed, Reader } from './byte-feed.ts';
import { decompressLzf } from './lzf.ts';

const LZF = 3;

export class RdbStrings {
  readonly #feed: ByteFeed;
  /** Of the last length: it is none, but says how a string is written. */
  #encoding: number | undefined;
  /** Of the last string: what its bytes are of. */
  #plainBytes = 0;

  constructor(feed: ByteFeed) {
    this.#feed = feed;
  }

  byte(): number {
    return this.#feed.bytes.readUInt8(this.#feed.at++);
  }

  /** With `HEAD_BYTES` at hand. */
  length(): number {
    const feed = this.#feed;
    const first = this.byte();
    this.#encoding = undefined;
    switch (first >> 6) {
      case 0:
        return first & 0x3f;
      case 1:
        return ((first & 0x3f) << 8) | this.byte();
      case 3:
        this.#encoding = first & 0x3f;
        return 0;
    }
    const isLong = first === 0x81;
    const value = isLong ? Number(feed.bytes.readBigUInt64BE(feed.at)) : feed.bytes.readUInt32BE(feed.at);
    feed.at += isLong ? 8 : 4;
    return value;
  }

  /** How many bytes of the string follow its head. */
  #head(): number {
    const length = this.length();
    if (this.#encoding === undefined) {
      this.#plainBytes = length;
      return length;
    }
    const encoding = this.#encoding;
    if (encoding > LZF) throw new RangeError('a string is written in a way that does not exist');
    if (encoding < LZF) {
      this.#encoding = encoding;
      return 1 << encoding;
    }
    const packed = this.length();
    this.#plainBytes = this.length();
    this.#encoding = LZF;
    return packed;
  }

  /** `behind`: bytes that follow each of them. */
  *skip(count: number, behind = 0): Reader<void> {
    const feed = this.#feed;
    for (let left = count; ; left--) {
      left = this.#passAtHand(left, behind);
      if (left <= 0) return;
      if (feed.left < HEAD_BYTES) yield HEAD_BYTES;
      feed.skip(this.#head() + behind);
      if (feed.isSkipping) yield 0;
    }
  }

  /** Gives how many are left. */
  #passAtHand(count: number, behind: number): number {
    const feed = this.#feed;
    const { bytes } = feed;
    let { at } = feed;
    let left = count;
    for (; left > 0; left--) {
      const end = endOfString(bytes, at);
      if (end === ELSEWHERE || end + behind > bytes.length) break;
      at = end + behind;
    }
    feed.at = at;
    return left;
  }

  *skipBytes(count: number): Reader<void> {
    this.#feed.skip(count);
    if (this.#feed.isSkipping) yield 0;
  }

  /** Undefined, and passed over, when it is larger than `mostBytes`; `lengthBytes` is known in any case. */
  *take(mostBytes: number): Reader<{ readonly bytes?: Buffer; readonly lengthBytes: number }> {
    const feed = this.#feed;
    if (feed.left < HEAD_BYTES) yield HEAD_BYTES;
    const stored = this.#head();
    const [encoding, plainBytes] = [this.#encoding, this.#plainBytes];
    if (stored > mostBytes || (encoding !== undefined && encoding === LZF && plainBytes > mostBytes)) {
      yield* this.skipBytes(stored);
      return { lengthBytes: plainBytes };
    }
    if (feed.left < stored) yield stored;
    if (feed.left < stored) throw new RangeError('it is cut off');
    const raw = feed.bytes.subarray(feed.at, feed.at + stored);
    feed.at += stored;
    const bytes = decoded(raw, encoding, plainBytes);
    return { bytes, lengthBytes: bytes.length };
  }
}

function decoded(raw: Buffer, encoding: number | undefined, plainBytes: number): Buffer {
  if (encoding === undefined) return Buffer.from(raw);
  if (encoding === LZF) return decompressLzf(raw, plainBytes);
  return Buffer.from(String(raw.readIntLE(0, raw.length)));
}
