// What the vault asks of a key service: fresh data keys, and the way back from their ciphertext; the key that wraps them never leaves it.

/** Bound into every ciphertext: with another context it does not open. Not secret; the service logs it. */
export type EncryptionContext = Readonly<Record<string, string>>;

export interface DataKey {
  /** 32 random bytes. */
  readonly plain: Buffer;
  readonly ciphertext: Buffer;
  /** The wrapping key as the service names it, for people. */
  readonly keyId: string;
}

/** Every call has its own deadline of a few seconds: a dead endpoint must not keep the next way to open the vault waiting. */
export interface DataKeys {
  /** For people: `AWS KMS key 'alias/holdfast' in eu-central-1`. */
  readonly location: string;
  /** Throws `KEY_SERVICE_UNAVAILABLE`, `KEY_SERVICE_DENIED`. */
  generate(context: EncryptionContext): Promise<DataKey>;
  /**
   * The plain data key; `undefined` when the service says that this is no ciphertext of the configured key and this context. Throws
   * `KEY_SERVICE_UNAVAILABLE`, and `KEY_SERVICE_DENIED` also for a key that is disabled.
   */
  unwrap(ciphertext: Uint8Array, context: EncryptionContext): Promise<Buffer | undefined>;
}
