// Redaction as the rest of the engine uses it: one text after another in a thread of its own, each within a limit of time; what could not be looked through is told, and never shown.

import { HoldfastError } from '../../errors/index.ts';
import type { RedactionRule, Withheld } from '../types.ts';
import { formsOf } from './forms.ts';
import { digitsOf, markerOf } from './marker.ts';
import { RedactionThread } from './redaction-thread.ts';
import type { Calls } from './redaction-worker.ts';
import type { Original, Redacted, ShortText } from './redactor.ts';
import type { Span } from './span.ts';
import { EVERYWHERE_LENGTH, isTelling } from './telling-values.ts';

/** There is nothing that may be shown of it, and why. */
export interface Unlooked {
  readonly unlooked: Extract<
    Withheld['why'],
    'pattern takes too long' | 'takes too long to look through' | 'cannot be looked through'
  >;
}

export interface RedactionOptions {
  /** Makes markers; 32 bytes that nobody else has. */
  readonly key: Uint8Array;
  readonly rules: readonly RedactionRule[];
  /** Values that are known to be secret, whatever their length and the form in which they are printed. */
  readonly known?: readonly string[];
  /** The same, of Holdfast itself: remembered only once a text has them. */
  readonly own?: readonly string[];
  /** Found by earlier looks: a password that was changed may still stand in a log. */
  readonly remembered?: readonly string[];
  readonly signal?: AbortSignal;
  /** For one text; default: far more than the slowest honest one of its size takes. */
  readonly limitMs?: (lengthChars: number) => number;
}

/** Newest first; what is older was changed long ago. */
const MOST_REMEMBERED = 10_000;
const MOST_REMEMBERED_CHARS = 8 * 1024 * 1024;
/** What is longer is a file, not a secret that somebody repeats. */
const LONGEST_REMEMBERED = 64 * 1024;
/** So many texts may each cost a thread; what comes after them is not looked through any more. */
const MOST_THREADS = 5;
/** So many short texts may each be a marker as a whole; more of them, and none is what it seems. */
const MOST_UNREAD = 5;
const LIMIT_MS = 30_000;
const LIMIT_MS_OF_MIB = 10_000;
const MIB = 1024 * 1024;

export class Redaction {
  readonly #options: RedactionOptions;
  readonly #found = new Set<string>();
  /** Random-looking words, of which one list of digests has thousands: whatever text they stand in, they look so again. */
  readonly #words = new Set<string>();
  #thread: RedactionThread | undefined;
  #ended = 0;
  #unreadWords = 0;
  /** Whether the thread knows all that was found until now. */
  #isTold = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: RedactionOptions) {
    this.#options = options;
  }

  /** Short texts are not looked through any more, because others took too long: each is a marker, whatever it says. */
  get hasGivenUpWords(): boolean {
    return this.#unreadWords > MOST_UNREAD || (this.#unreadWords > 0 && this.#ended >= MOST_THREADS);
  }

  /** What later looks should remember: secrets in clear, for the vault alone. */
  get remembered(): readonly string[] {
    const { known = [], remembered = [] } = this.#options;
    const given = known.filter((value) => value.length >= EVERYWHERE_LENGTH);
    const kept: string[] = [];
    let chars = 0;
    for (const value of new Set([...given, ...this.#found, ...remembered])) {
      if (value.length > LONGEST_REMEMBERED) continue;
      chars += value.length;
      if (kept.length === MOST_REMEMBERED || chars > MOST_REMEMBERED_CHARS) break;
      kept.push(value);
    }
    return kept;
  }

  /** Of every text, before anything is written: what is a secret in one of them is one in all, and in names. Throws `CANCELLED`. */
  async find({ text, path }: Pick<Original, 'text' | 'path'>): Promise<readonly Span[] | Unlooked> {
    for (const value of this.#options.own ?? []) if (text.includes(value)) this.#found.add(value);
    const asks = { text, ...(path !== undefined && { path }) };
    const findings = await this.#inTurn(() => this.#ask('find', asks, text.length));
    if ('unlooked' in findings) return findings;
    if ('tooLong' in findings) return { unlooked: 'pattern takes too long' };
    for (const value of findings.values) this.#found.add(value);
    for (const word of findings.words) this.#words.add(word);
    if (findings.values.length + findings.words.length > 0) this.#isTold = false;
    return findings.spans;
  }

  /** A secret wherever it stands from now on, unless it is an ordinary word. */
  learn(value: string): void {
    if (!isTelling(value)) return;
    this.#found.add(value);
    this.#isTold = false;
  }

  /** `spans`: as `find` gave them. Throws `CANCELLED`. */
  async write(original: Original, spans: readonly Span[]): Promise<Redacted | Unlooked> {
    return await this.#inTurn(async () => await this.#askKnowing('write', { original, spans }, original.text.length));
  }

  /** With what was found in others until now. A marker alone, when it could not be looked through. Throws `CANCELLED`. */
  async words(short: ShortText): Promise<string> {
    const words = await this.#inTurn(async () => await this.#askKnowing('words', short, short.text.length));
    if (!('text' in words)) this.#unreadWords++;
    return 'text' in words ? words.text : markerOf('unread', this.digits(short.text, short.place));
  }

  /** What Git shows of a difference, without what is known by now to be a secret; a line that says so, when it could not be looked through. Throws `CANCELLED`. */
  async difference(text: string): Promise<string> {
    const shown = await this.#inTurn(async () => await this.#askKnowing('difference', text, text.length));
    if ('text' in shown) return shown.text;
    return `[withheld: ${'unlooked' in shown ? shown.unlooked : 'pattern takes too long'}]\n`;
  }

  /** Digits that tell two values of one place apart and nothing else. */
  digits(value: string | Uint8Array, place: string): string {
    return digitsOf(this.#options.key, value, place);
  }

  async close(): Promise<void> {
    await this.#thread?.end();
    this.#thread = undefined;
  }

  /** The thread does one thing at a time: only then a limit is one of the text that is looked at. */
  async #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return await mine;
  }

  async #askKnowing<Name extends 'write' | 'words' | 'difference'>(
    call: Name,
    asks: Calls[Name]['asks'],
    lengthChars: number,
  ): Promise<Calls[Name]['answers'] | Unlooked> {
    if (!this.#isTold) {
      const { known = [], own = [], remembered = [] } = this.#options;
      const values = [...[...known, ...own].flatMap(formsOf), ...this.#found, ...this.#words, ...remembered];
      const told = await this.#ask('know', values, 0);
      if (told !== undefined) return told;
      this.#isTold = true;
    }
    return await this.#ask(call, asks, lengthChars);
  }

  async #ask<Name extends keyof Calls>(
    call: Name,
    asks: Calls[Name]['asks'],
    lengthChars: number,
  ): Promise<Calls[Name]['answers'] | Unlooked> {
    const { key, rules, signal, limitMs = usualLimitMs } = this.#options;
    if (signal?.aborted) throw cancelled();
    if (this.#ended >= MOST_THREADS) return { unlooked: 'takes too long to look through' };
    this.#thread ??= new RedactionThread({ key, rules });
    const outcome = await this.#thread.ask(call, asks, { limitMs: limitMs(lengthChars), ...(signal && { signal }) });
    if (outcome.state === 'answered') return outcome.answers;
    if (outcome.state === 'failed') return { unlooked: 'cannot be looked through' };
    await this.close();
    this.#isTold = false;
    if (outcome.state === 'cancelled') throw cancelled();
    this.#ended++;
    return { unlooked: outcome.state === 'late' ? 'takes too long to look through' : 'cannot be looked through' };
  }
}

function usualLimitMs(lengthChars: number): number {
  return LIMIT_MS + (lengthChars / MIB) * LIMIT_MS_OF_MIB;
}

function cancelled(): HoldfastError {
  return new HoldfastError('CANCELLED', 'the look for secrets was cancelled');
}
