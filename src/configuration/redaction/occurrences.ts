// Where values that are known to be secret stand in a text: all of them in one pass, however many there are.

import type { Span } from './span.ts';

/** Values are found by their first characters; shorter ones, of which there are few, by themselves. */
const WINDOW = 8;
const BASE = 31;
const HIGHEST = Array.from({ length: WINDOW - 1 }).reduce((power: number) => Math.imul(power, BASE), 1);
/** Tells at once that no value begins here: nearly everywhere. */
const FILTER_SIZE = 1 << 16;
const KIND = 'secret of another place';

export class Occurrences {
  readonly #short: readonly string[];
  readonly #byStart = new Map<number, string[]>();
  readonly #filter = new Uint8Array(FILTER_SIZE);

  constructor(values: Iterable<string>) {
    const short: string[] = [];
    // A secret that holds another one goes as a whole.
    for (const value of [...new Set(values)].sort((a, b) => b.length - a.length)) {
      if (value.length >= WINDOW) this.#add(value);
      else if (value !== '') short.push(value);
    }
    this.#short = short;
  }

  in(text: string): Span[] {
    const spans: Span[] = [];
    for (const value of this.#short) {
      for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
        spans.push({ from: at, to: at + value.length, kind: KIND });
      }
    }
    if (this.#byStart.size > 0) this.#slide(text, spans);
    return spans;
  }

  #add(value: string): void {
    const start = hashOfStart(value);
    this.#filter[start & (FILTER_SIZE - 1)] = 1;
    const same = this.#byStart.get(start);
    if (same) same.push(value);
    else this.#byStart.set(start, [value]);
  }

  #slide(text: string, spans: Span[]): void {
    if (text.length < WINDOW) return;
    let hash = hashOfStart(text);
    for (let at = 0; ; at++) {
      if (this.#filter[hash & (FILTER_SIZE - 1)] === 1) {
        const value = this.#byStart.get(hash)?.find((each) => text.startsWith(each, at));
        if (value !== undefined) spans.push({ from: at, to: at + value.length, kind: KIND });
      }
      if (at + WINDOW >= text.length) return;
      const rest = (hash - Math.imul(text.charCodeAt(at), HIGHEST)) | 0;
      hash = (Math.imul(rest, BASE) + text.charCodeAt(at + WINDOW)) | 0;
    }
  }
}

function hashOfStart(text: string): number {
  let hash = 0;
  for (let at = 0; at < WINDOW; at++) hash = (Math.imul(hash, BASE) + text.charCodeAt(at)) | 0;
  return hash;
}
