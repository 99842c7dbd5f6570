// Texts of a capture in which secrets were looked for, each as it was captured, and why there is none of what is withheld; all of them within bounds.

import type { TreeEntry } from '../vault/index.ts';
import { hasLineLongerThan, readAsCaptured, textOfBytes } from './read-as-captured.ts';
import type { Redaction } from './redaction/redaction.ts';
import type { Span } from './redaction/span.ts';
import type { Withheld } from './types.ts';

export type Why = Withheld['why'];

export type Looked = { readonly text: string; readonly spans: readonly Span[] } | { readonly why: Why };

/** They are in memory together: a secret of one is looked for in the others. */
const ALL_TEXTS_BYTES = 64 * 1024 * 1024;
/** What nobody wrote by hand, and nobody reads. */
const LONGEST_LINE_CHARS = 1024 * 1024;

export interface LookedTextsOptions {
  readonly redaction: Redaction;
  /** Larger ones are not read. */
  readonly largestBytes: number;
  /** Default 64 MiB. */
  readonly allBytes?: number;
  /** Told after each text. */
  readonly onText?: (texts: number) => void;
}

export class LookedTexts {
  readonly #redaction: Redaction;
  readonly #largestBytes: number;
  readonly #allBytes: number;
  readonly #onText: ((texts: number) => void) | undefined;
  readonly #looked = new Map<string, Looked>();
  #bytes = 0;

  constructor({ redaction, largestBytes, allBytes = ALL_TEXTS_BYTES, onText }: LookedTextsOptions) {
    this.#redaction = redaction;
    this.#largestBytes = Math.min(largestBytes, allBytes);
    this.#allBytes = allBytes;
    this.#onText = onText;
  }

  /** `byName`: why nothing of it is shown, whatever is in it; what is found in it is a secret elsewhere all the same. */
  async file(path: string, { path: from, sizeBytes, sha256 }: TreeEntry, byName: Why | undefined): Promise<void> {
    const isLarge = sizeBytes > this.#largestBytes;
    const read = isLarge ? 'too large' : await this.#readNamed([path, from], sha256);
    const bytes = read === 'other' ? 'changed while it was read' : read;
    await this.#look(path, bytes, byName, path);
  }

  async output(place: string, output: Buffer): Promise<void> {
    await this.#look(place, output.length > this.#largestBytes ? 'too large' : output, undefined);
  }

  of(name: string): Looked {
    return this.#looked.get(name) ?? { why: 'changed while it was read' };
  }

  async #readNamed(paths: readonly string[], sha256: string | undefined): Promise<Buffer | 'too large' | 'other'> {
    let read: Buffer | 'too large' | 'other' = 'other';
    for (const path of new Set(paths)) {
      read = await readAsCaptured(path, sha256, this.#largestBytes);
      if (typeof read !== 'string') return read;
    }
    return read;
  }

  async #look(name: string, bytes: Buffer | Why, byName: Why | undefined, path?: string): Promise<void> {
    const looked = typeof bytes === 'string' ? { why: bytes } : await this.#lookInto(bytes, byName, path);
    this.#looked.set(name, byName === undefined ? looked : { why: byName });
    this.#onText?.(this.#looked.size);
  }

  async #lookInto(bytes: Buffer, byName: Why | undefined, path: string | undefined): Promise<Looked> {
    const text = textOfBytes(bytes);
    if (text === undefined) return { why: 'not text' };
    if (hasLineLongerThan(text, LONGEST_LINE_CHARS)) return { why: 'a line is too long' };
    const isKept = byName === undefined;
    // The whole of a file that holds one secret, and nothing that a pattern would know it by.
    if (!isKept && !text.trim().includes('\n')) this.#redaction.learn(text.trim());
    if (isKept && this.#bytes + bytes.length > this.#allBytes) return { why: 'more text than is looked through' };
    const spans = await this.#redaction.find({ text, ...(path !== undefined && { path }) });
    if ('unlooked' in spans) return { why: spans.unlooked };
    if (isKept) this.#bytes += bytes.length;
    return { text, spans };
  }
}
