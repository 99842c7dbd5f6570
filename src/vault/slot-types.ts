// Key slots as types: what lies on the copies, and every change of it.

import type { ErrorData } from '../errors/index.ts';
import type { KeySource } from './key-sources.ts';

export interface ListedSlot {
  readonly slot: string;
  /** Key of the slot object; a slot has several only while it is being rotated. */
  readonly object: string;
  /** Absent when no copy has it whole. */
  readonly kind: 'file' | 'passphrase' | 'kms' | undefined;
  readonly created: string | undefined;
  /** When it was removed; it lies only on copies that were away since. */
  readonly removed: string | undefined;
  readonly copies: Readonly<Record<string, 'present' | 'absent' | 'damaged' | 'away'>>;
  /** Why the given keys do not open it; absent when one does. */
  readonly error: ErrorData | undefined;
}

export interface SlotListing {
  readonly slots: readonly ListedSlot[];
  /** Names of slots that there were and that were removed. */
  readonly removed: readonly string[];
}

export interface SlotTest {
  readonly slot: string;
  readonly object: string;
  readonly copy: string;
  /** Absent when the object of this copy gave the vault key. */
  readonly error?: ErrorData;
}

export interface SlotChange {
  readonly slot: string;
  /** The object that opens it now; none after a removal. */
  readonly object: string | undefined;
  /** False when an earlier attempt had made it. */
  readonly made: boolean;
  /** Keys of objects that went. */
  readonly removed: readonly string[];
  /** Copies that are as they should be. */
  readonly copies: readonly string[];
  /** Those of them that keep what went until its lock ends: it can be read there till then. */
  readonly kept: readonly string[];
  /** Copies that gave no answer; catch-up brings them in line. */
  readonly behind: readonly { readonly copy: string; readonly error: ErrorData }[];
}

export interface SlotRotation {
  /** The source gives another secret each time, so that one object which it opens is the old one. */
  readonly fresh: boolean;
  /** Runs when every copy that answers holds the new object, before an old one goes. */
  readonly settle?: (state: { readonly behind: readonly string[] }) => Promise<void>;
}

/** One change of slots at a time in a vault: each throws `LOCKED` while another host makes one. All can be repeated after dying anywhere. */
export interface KeySlots {
  list(sources: readonly KeySource[]): Promise<SlotListing>;
  /** Reads and opens the live objects of one slot, or of all, on every copy. */
  test(sources: readonly KeySource[], slot?: string): Promise<readonly SlotTest[]>;
  add(source: KeySource): Promise<SlotChange>;
  rotate(source: KeySource, options: SlotRotation): Promise<SlotChange>;
  /** Throws `KEY_LAST` unless one of `sources` opens another slot on every copy that answers. */
  remove(slot: string, sources: readonly KeySource[]): Promise<SlotChange>;
}
