// What a walk counts, and which keys it keeps as samples: spread over the whole RDB, whatever its size.

import type { KeySample, RdbFacts } from './facts.ts';

const MOST_SAMPLES = 128;

interface Found {
  readonly key: Buffer;
  readonly length?: number;
  readonly sha256?: string;
}

export class Counts {
  readonly aux = new Map<string, string>();
  readonly modules = new Set<string>();
  functions = 0;
  #keys = 0;
  #database = 0;
  readonly #databases = new Map<number, { keys: number; persistent: number; fieldsExpire: number }>();
  readonly #types: Record<string, number> = {};
  readonly #expiring: number[] = [];
  #samples: KeySample[] = [];
  /** Every so manieth key is kept; doubled, and every second one let go, whenever there are too many. */
  #stride = 1;

  select(database: number): void {
    this.#database = database;
  }

  get isNextSampled(): boolean {
    return this.#keys % this.#stride === 0;
  }

  key(
    { type, expiresAtMs, fieldsExpire }: { type: string; expiresAtMs: number | undefined; fieldsExpire: boolean },
    found: Found | undefined,
  ): void {
    this.#keys++;
    this.#types[type] = (this.#types[type] ?? 0) + 1;
    const database = this.#databases.get(this.#database) ?? { keys: 0, persistent: 0, fieldsExpire: 0 };
    database.keys++;
    if (expiresAtMs !== undefined) this.#expires(expiresAtMs);
    else {
      database.persistent++;
      if (fieldsExpire) database.fieldsExpire++;
    }
    this.#databases.set(this.#database, database);
    if (found !== undefined) this.#sample(type, expiresAtMs, found);
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

  #expires(expiresAtMs: number): void {
    const seconds = expiresAtMs / 1000 - (this.#createdSeconds ?? 0);
    const index = seconds < 1 ? 0 : Math.floor(Math.log2(seconds)) + 1;
    this.#expiring[index] = (this.#expiring[index] ?? 0) + 1;
  }

  #sample(type: string, expiresAtMs: number | undefined, { key, ...rest }: Found): void {
    const expiry = expiresAtMs === undefined ? {} : { expiresAtMs };
    this.#samples.push({ database: this.#database, key: key.toString('base64'), type, ...rest, ...expiry });
    if (this.#samples.length <= MOST_SAMPLES) return;
    this.#samples = this.#samples.filter((_, index) => index % 2 === 0);
    this.#stride *= 2;
  }
}
