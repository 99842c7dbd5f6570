// The walk: one pass over an RDB as it streams by, which counts its keys and takes samples, and knows whether it came to the end.

import { createHash } from 'node:crypto';
import { fail } from '../../errors/index.ts';
import { ELSEWHERE, endOfEntry, endOfLength, HEAD_BYTES } from './at-hand.ts';
import { ByteFeed, type Reader } from './byte-feed.ts';
import { Counts } from './counts.ts';
import type { RdbFacts } from './facts.ts';
import { RdbStrings } from './rdb-strings.ts';
import { RdbValues } from './rdb-values.ts';
import { opcodes, typeName } from './type-names.ts';

const MAGIC_BYTES = 9;
const CHECKSUM_BYTES = 8;
const STRING = 0;
const MODULE = 7;
/** From here on the types that are known are hashes whose fields may expire, in either format. */
const FIELDS_EXPIRE = 22;
const MOMENT_BYTES = 8;
/** Longer keys are not sampled, longer values of sampled keys have no hash. */
const MOST_KEY_BYTES = 1024;
const MOST_VALUE_BYTES = 1024 * 1024;
const MOST_AUX_BYTES = 4096;

/** What this does not know, as a later version writes it. */
class Unknown extends Error {}

interface Expiry {
  expiresAtMs: number | undefined;
}

export class RdbWalk {
  readonly #feed = new ByteFeed();
  readonly #strings = new RdbStrings(this.#feed);
  readonly #values = new RdbValues(this.#feed, this.#strings);
  readonly #counts = new Counts();
  #format = { magic: '', version: 0 };
  /** Of types, by their numbers. */
  #names: readonly (string | undefined)[] = [];
  #sizeBytes = 0;
  #missing: string | undefined;
  #broken: string | undefined;
  #hasEnd = false;

  constructor() {
    this.#feed.read(this.#walk());
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Never throws: what is wrong is told at the end. */
  push(chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#missing !== undefined || this.#broken !== undefined) return;
    if (this.#hasEnd) this.#broken = 'it goes on behind its end';
    else this.#attempt(() => this.#feed.push(chunk));
  }

  /** Throws `BACKUP_INVALID` when it is no RDB, is cut off, or goes on behind its end. */
  end(): RdbFacts {
    if (this.#missing === undefined && this.#broken === undefined) this.#attempt(() => this.#feed.end());
    if (this.#broken !== undefined) {
      fail('BACKUP_INVALID', `the RDB of ${this.#sizeBytes} bytes is not whole: ${this.#broken}`);
    }
    return { format: this.#format, ...this.#counts.facts(this.#missing) };
  }

  #attempt(act: () => void): void {
    try {
      act();
      if (this.#hasEnd && this.#feed.left > 0) this.#broken = 'it goes on behind its end';
    } catch (error) {
      if (error instanceof Unknown) this.#missing = error.message;
      else if (error instanceof RangeError) this.#broken = error.message;
      else throw error;
    }
  }

  *#walk(): Reader<void> {
    const feed = this.#feed;
    yield MAGIC_BYTES;
    const [, magic, version] = /^(REDIS|VALKEY)(\d{3,4})$/.exec(feed.bytes.toString('latin1', 0, MAGIC_BYTES)) ?? [];
    if (magic === undefined) throw new RangeError('it does not begin as one');
    this.#format = { magic, version: Number(version) };
    this.#names = Array.from({ length: FIELDS_EXPIRE }, (_, type) => typeName(type, magic));
    feed.at = MAGIC_BYTES;
    const expiry: Expiry = { expiresAtMs: undefined };
    for (;;) {
      this.#passKeys(expiry);
      if (feed.left < HEAD_BYTES) yield HEAD_BYTES;
      const opcode = this.#strings.byte();
      if (opcode === opcodes.end) break;
      if (opcode >= opcodes.slotInfo) yield* this.#note(opcode, expiry);
      else yield* this.#key(opcode, expiry);
    }
    if (feed.left < CHECKSUM_BYTES) yield CHECKSUM_BYTES;
    if (feed.left < CHECKSUM_BYTES) throw new RangeError('it is cut off');
    feed.at += CHECKSUM_BYTES;
    this.#hasEnd = true;
  }

  /** Keys that are wholly at hand and only have to be counted: a generator for each would cost more than all the rest. Whatever else comes ends it. */
  #passKeys(expiry: Expiry): void {
    const feed = this.#feed;
    const { bytes } = feed;
    while (feed.left >= HEAD_BYTES && !this.#counts.isNextSampled) {
      let { at } = feed;
      let { expiresAtMs } = expiry;
      if (bytes[at] === opcodes.expiryMs) {
        expiresAtMs = momentAt(bytes, at + 1);
        at += 1 + MOMENT_BYTES;
      }
      // For a server that evicts: how long, or how often, the key was used.
      if (bytes[at] === opcodes.frequency) at += 2;
      else if (bytes[at] === opcodes.idle) at = endOfLength(bytes, at + 1);
      const type = bytes[at] as number;
      const name = at === ELSEWHERE ? undefined : this.#names[type];
      const end = name === undefined ? ELSEWHERE : endOfEntry(bytes, at + 1, type);
      if (name === undefined || end === ELSEWHERE) return;
      feed.at = end;
      expiry.expiresAtMs = undefined;
      this.#counts.key(name, expiresAtMs, false);
    }
  }

  *#note(opcode: number, expiry: Expiry): Reader<void> {
    const { bytes } = this.#feed;
    switch (opcode) {
      case opcodes.select:
        this.#counts.select(this.#strings.length());
        return;
      case opcodes.expiryMs:
        expiry.expiresAtMs = momentAt(bytes, this.#feed.at);
        this.#feed.at += MOMENT_BYTES;
        return;
      case opcodes.expirySeconds:
        expiry.expiresAtMs = bytes.readInt32LE(this.#feed.at) * 1000;
        this.#feed.at += 4;
        return;
      case opcodes.frequency:
        this.#feed.at += 1;
        return;
      case opcodes.idle:
        this.#strings.length();
        return;
      case opcodes.resize:
        this.#strings.length();
        this.#strings.length();
        return;
      case opcodes.slotInfo:
        for (let count = 0; count < 3; count++) this.#strings.length();
        return;
      case opcodes.aux:
        return yield* this.#aux();
      case opcodes.functions:
        this.#counts.functions++;
        return yield* this.#strings.skip(1);
      case opcodes.moduleAux:
        this.#counts.modules.add(yield* this.#values.moduleAux());
        return;
    }
    throw new Unknown(`a part of kind ${opcode}, which this version does not know`);
  }

  *#aux(): Reader<void> {
    const name = yield* this.#strings.take(MOST_AUX_BYTES);
    const value = yield* this.#strings.take(MOST_AUX_BYTES);
    if (name.bytes && value.bytes) this.#counts.aux.set(name.bytes.toString('latin1'), value.bytes.toString('latin1'));
  }

  *#key(type: number, expiry: Expiry): Reader<void> {
    const name = typeName(type, this.#format.magic);
    if (name === undefined) throw new Unknown(`a value of type ${type}, which this version does not know`);
    const isSampled = this.#counts.isNextSampled;
    const { expiresAtMs } = expiry;
    expiry.expiresAtMs = undefined;
    const key = isSampled ? (yield* this.#strings.take(MOST_KEY_BYTES)).bytes : undefined;
    if (!isSampled) yield* this.#strings.skip(1);
    const value = yield* this.#value(type, key !== undefined);
    const fieldsExpire = type >= FIELDS_EXPIRE;
    this.#counts.key(name, expiresAtMs, fieldsExpire);
    if (key !== undefined) this.#counts.sample(name, expiresAtMs, { key, ...value });
  }

  *#value(type: number, isSampled: boolean): Reader<{ length?: number; sha256?: string }> {
    if (type === MODULE) {
      this.#counts.modules.add(yield* this.#values.module());
      return {};
    }
    if (type !== STRING) {
      const length = yield* this.#values.pass(type, this.#format.magic, isSampled);
      return length === undefined ? {} : { length };
    }
    if (!isSampled) {
      yield* this.#strings.skip(1);
      return {};
    }
    const { bytes, lengthBytes } = yield* this.#strings.take(MOST_VALUE_BYTES);
    return { length: lengthBytes, ...(bytes && { sha256: createHash('sha256').update(bytes).digest('hex') }) };
  }
}

/** Milliseconds since 1970, as eight bytes, the smallest first. */
function momentAt(bytes: Buffer, at: number): number {
  return bytes.readInt32LE(at + 4) * 2 ** 32 + bytes.readUInt32LE(at);
}
