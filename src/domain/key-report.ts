// What is told of the ways to open the vault: their state, their test, their changes.

import type { ErrorData } from '../errors/index.ts';

/** A way to open the vault: one slot object, or a key of the configuration that has none. */
export interface KeyStatus {
  readonly key: string;
  /** `missing`: configured, and the vault has no slot for it. `removed`: left on copies that were away since. */
  readonly state: 'live' | 'missing' | 'removed';
  readonly kind?: 'file' | 'passphrase' | 'kms';
  readonly object?: string;
  readonly created?: string;
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'damaged' | 'away'>>;
  /** Whether this host's configuration opened it right now. */
  readonly opens: boolean;
  /** Why it does not. */
  readonly error?: ErrorData;
}

/** One slot object on one copy, opened from scratch. */
export interface KeyTest {
  readonly key: string;
  readonly object?: string;
  readonly copy?: string;
  readonly ok: boolean;
  readonly error?: ErrorData;
}

export interface KeyChange {
  readonly key: string;
  readonly change: 'added' | 'rotated' | 'removed' | 'unchanged';
  /** The slot object that opens the vault now. */
  readonly object?: string;
  readonly removed: readonly string[];
  readonly copies: readonly string[];
  readonly behind: readonly { readonly copy: string; readonly error: ErrorData }[];
  /** The key file that was made. */
  readonly file?: string;
}
