// What a walk counts, and which keys it keeps as samples: spread over the whole RDB, whatever its size.

import type { KeySample, RdbFacts } from './facts.ts';

const MOST_SAMPLES = 128;

interface Found {
  readonly key: Buffer;
  readonly length?: number;
  readonly sha256?: string;
}

interface DatabaseCounts {
  keys: number;
  persistent: number;
  fieldsExpire: number;
}

export class Counts {
  readonly aux = new Map<string, string>();
  readonly modules = new Set<string>();
  functions = 0;
  #keys = 0;
  #database = 0;
  /** Of the present one; there when a key of it was counted. */
  #current: DatabaseCounts | undefined;
  readonly #databases = new Map<number, DatabaseCounts>();
  readonly #types: Record<string, number> = {};
  readonly #expiring: number[] = [];
  #created: number | undefined;
  #samples: KeySample[] = [];
  /** Every so manieth key is kept; doubled, and every second one let go, whenever there are too many. */
  #stride = 1;

  select(database: number): void {
    this.#database = database;
    this.#current = this.#databases.get(database);
  }

  get isNextSampled(): boolean {
    return this.#keys % this.#stride === 0;
  }

  /** One more key. */
  key(type: string, expiresAtMs: number | undefined, fieldsExpire: boolean): void {
    this.#keys++;
    this.#types[type] = (this.#types[type] ?? 0) + 1;
    this.#current ??= this.#begin();
    this.#current.keys++;
    if (expiresAtMs !== undefined) this.#expires(expiresAtMs);
    else {
      this.#current.persistent++;
      if (fieldsExpire) this.#current.fieldsExpire++;
    }
  }

  /** Of the key that was counted last. */
  sample(type: string, expiresAtMs: number | undefined, { key, ...rest }: Found): void {
    const expiry = expiresAtMs === undefined ? {} : { expiresAtMs };
    this.#samples.push({ database: this.#database, key: key.toString('base64'), type, ...rest, ...expiry });
    if (this.#samples.length <= MOST_SAMPLES) return;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#stride *= 2;
  }

  facts(missing: string | undefined): Omit<RdbFacts, 'format'> {
    const writtenBy = this.aux.get('valkey-ver') ?? this.aux.get('redis-ver');
    const usedMemory = this.aux.get('used-mem');
    const created = this.#createdSeconds;
    return {
      ...(writtenBy !== undefined && { writtenBy }),
      ...(created !== undefined && { createdSeconds: created }),
      ...(usedMemory !== undefined && { usedMemoryBytes: Number(usedMemory) }),
      keys: this.#keys,
      databases: [...this.#databases].map(([number, counts]) => ({ number, ...counts })),
      types: this.#types,
      functions: this.functions,
      modules: [...this.modules],
      expiring: Array.from(this.#expiring, (count = 0) => count),
      samples: this.#samples,
      ...(missing !== undefined && { missing }),
    };
  }

  get #createdSeconds(): number | undefined {
    const created = this.aux.get('ctime');
    return created === undefined ? undefined : Number(created);
  }

  #begin(): DatabaseCounts {
    const counts = { keys: 0, persistent: 0, fieldsExpire: 0 };
    this.#databases.set(this.#database, counts);
    return counts;
  }

  #expires(expiresAtMs: number): void {
    // What it was begun with stands in front of all keys.
    this.#created ??= this.#createdSeconds ?? 0;
    const seconds = expiresAtMs / 1000 - this.#created;
    const index = seconds < 1 ? 0 : Math.floor(Math.log2(seconds)) + 1;
    this.#expiring[index] = (this.#expiring[index] ?? 0) + 1;
  }
}
