// What is noted of an RDB, for people and for the comparison after it was loaded.

/** One key, as the RDB holds it. */
export interface KeySample {
  readonly database: number;
  /** Base64: keys are bytes. */
  readonly key: string;
  readonly type: string;
  /** Elements, or bytes of a string; absent where the encoding does not tell, or where elements expire by themselves. */
  readonly length?: number;
  /** Of a string's value. */
  readonly sha256?: string;
  /** Milliseconds since 1970. */
  readonly expiresAtMs?: number;
}

export interface DatabaseFacts {
  readonly number: number;
  readonly keys: number;
  /** Keys that never expire as a whole. */
  readonly persistent: number;
  /** Of those, hashes whose fields may expire: one that loses its last field is gone. */
  readonly fieldsExpire: number;
}

export interface RdbFacts {
  /** `REDIS` or `VALKEY`, and the version of the format. */
  readonly format: { readonly magic: string; readonly version: number };
  /** Version of the server that wrote it. */
  readonly writtenBy?: string;
  /** Seconds since 1970: the instant of the data. */
  readonly createdSeconds?: number;
  readonly usedMemoryBytes?: number;
  readonly keys: number;
  readonly databases: readonly DatabaseFacts[];
  /** Keys by type. */
  readonly types: Readonly<Record<string, number>>;
  /** Libraries of functions. */
  readonly functions: number;
  /** Modules whose data is in it: a server without them does not load it. */
  readonly modules: readonly string[];
  /** How many keys expire less than 2 to the power of the index in seconds after the instant, and not less than half of that. */
  readonly expiring: readonly number[];
  readonly samples: readonly KeySample[];
  /** Why the walk stopped before the end; everything above is of the part before. */
  readonly missing?: string;
}

/** At least and at most so many keys have their time over at a moment. */
export function overBy(
  { expiring, createdSeconds = 0 }: RdbFacts,
  nowSeconds: number,
): { least: number; most: number } {
  const passed = nowSeconds - createdSeconds;
  let least = 0;
  let most = 0;
  for (const [index, count] of expiring.entries()) {
    if (2 ** index <= passed) least += count;
    if ((index === 0 ? 0 : 2 ** (index - 1)) <= passed) most += count;
  }
  return { least, most };
}
