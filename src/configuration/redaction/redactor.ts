// Makes of originals the texts that may be seen: every secret that is found becomes a marker, in the place where it was found and everywhere else.

import { createHmac } from 'node:crypto';
import type { FoundSecret, RedactionRule } from '../types.ts';
import { knownForms } from './known-forms.ts';
import { namedValues } from './named-values.ts';
import { randomWords } from './random-words.ts';
import { linesOf, merged, type Span } from './span.ts';
import { UserRules } from './user-rules.ts';

/** Shorter ones, and those of one kind of character alone, are ordinary words too often to be taken out everywhere. */
const EVERYWHERE_LENGTH = 8;
const EVERYWHERE_KINDS = 2;
/** A capital at its beginning does not make a word anything else. */
const CHARACTER_KINDS = [/[a-z]/, /.[A-Z]/s, /[0-9]/, /[^A-Za-z0-9._-]/];
/** A reference, a comment, a placeholder, a sentence. */
const NO_SECRET = /^[#$<({%]|(?:\S+\s+){6}/;
/** Of a key of many lines, each line is a secret by itself. */
const LINE_LENGTH = 24;
const PLAIN_PATH = /^\/[a-z0-9._@-]+(?:\/[a-z0-9._@-]+)+$/;
/** What a dump makes up anew each time, and means nothing afterwards. */
const VOLATILE = /^\\(?:un)?restrict[ \t]+(?<word>\S+)/dgm;
const VOLATILE_KIND = 'volatile';
const DIGITS = 8;

/** A text, and where it is from. */
export interface Original {
  /** For the marker and for people: a path as the tree has it, or `commands/NAME`. */
  readonly place: string;
  /** Absent for an output. */
  readonly path?: string;
  readonly text: string;
}

export interface Redacted {
  readonly place: string;
  readonly text: string;
  readonly secrets: readonly FoundSecret[];
}

/** The pattern took too long: there is no text. */
export interface TooLong {
  readonly place: string;
  readonly tooLong: string;
}

export interface RedactorOptions {
  /** Makes markers; 32 bytes that nobody else has. */
  readonly key: Uint8Array;
  readonly rules: readonly RedactionRule[];
  /** Values that are known to be secret, whatever their length. */
  readonly known?: readonly string[];
  /** Found by earlier looks: a password that was changed may still stand in a log. */
  readonly remembered?: readonly string[];
}

/** Newest first; what is older was changed long ago. */
const MOST_REMEMBERED = 10_000;

export class Redactor {
  readonly #key: Uint8Array;
  readonly #rules: UserRules;
  readonly #known: readonly string[];
  #remembered: readonly string[];
  /** Everything that is taken out of other places, in the order in which it is. */
  #everywhere: readonly string[];
  readonly #found = new Map<string, { readonly text: string; readonly spans: readonly Span[] | string }>();

  constructor({ key, rules, known = [], remembered = [] }: RedactorOptions) {
    this.#key = key;
    this.#rules = new UserRules(rules);
    this.#known = known.filter((value) => value !== '');
    this.#remembered = remembered;
    this.#everywhere = longestFirst([...this.#known, ...remembered]);
  }

  /** What later looks should remember: secrets in clear, for the vault alone. */
  get remembered(): readonly string[] {
    return this.#remembered;
  }

  /** All texts of one snapshot, before anything of it is written: what is a secret in one of them is one in all, and in names. */
  learn(originals: readonly Original[]): void {
    const fresh = valuesOf(
      originals,
      originals.map((original) => this.#find(original)),
    );
    this.#remembered = [...new Set([...fresh, ...this.#remembered])].slice(0, MOST_REMEMBERED);
    this.#everywhere = longestFirst([...this.#known, ...this.#remembered]);
  }

  redact(originals: readonly Original[]): (Redacted | TooLong)[] {
    this.learn(originals);
    return originals.map((original) => {
      const spans = this.#find(original);
      if (typeof spans === 'string') return { place: original.place, tooLong: spans };
      return this.#write(original, merged([...spans, ...occurrences(original.text, this.#everywhere)]));
    });
  }

  /** A name, a target of a link, words of a program: one short text by itself, with what was found in others until now. */
  words(text: string, place: string): string {
    const spans = [...knownForms(text), ...namedValues(text), ...occurrences(text, this.#everywhere)];
    return this.#write({ place, text }, merged(spans)).text;
  }

  /** Eight digits that tell two values of one place apart and nothing else. */
  digits(value: string | Uint8Array, place: string): string {
    return createHmac('sha256', this.#key).update(`${place}\0`).update(value).digest('hex').slice(0, DIGITS);
  }

  /** Once for each text: a pattern may take its time. */
  #find({ place, text, path }: Original): readonly Span[] | string {
    const name = path ?? place;
    const known = this.#found.get(name);
    if (known?.text === text) return known.spans;
    const own = this.#rules.find(text, path);
    const spans =
      'tooLong' in own
        ? own.tooLong
        : merged([...own.spans, ...knownForms(text), ...namedValues(text), ...randomWords(text)]);
    this.#found.set(name, { text, spans });
    return spans;
  }

  #write({ text, place }: Original, spans: readonly Span[]): Redacted {
    const parts: string[] = [];
    let at = 0;
    const volatile = [...text.matchAll(VOLATILE)].map(({ indices }) => {
      const [from, to] = indices?.groups?.word ?? [0, 0];
      return { from, to, kind: VOLATILE_KIND };
    });
    const isVolatile = ({ from, to }: Span) => volatile.some((each) => from < each.to && to > each.from);
    const secrets = spans.filter((span) => !isVolatile(span));
    for (const { from, to, kind } of merged([...secrets, ...volatile])) {
      parts.push(text.slice(at, from), this.#marker(text.slice(from, to), kind, place));
      at = to;
    }
    parts.push(text.slice(at));
    const lines = linesOf(text, secrets);
    const told = secrets.map(({ kind }, number) => ({ place, line: lines[number] as number, kind }));
    return { place, text: parts.join(''), secrets: told };
  }

  #marker(value: string, kind: string, place: string): string {
    return kind === VOLATILE_KIND ? '[volatile]' : `[redacted ${kind} ${this.digits(value, place)}]`;
  }
}

function valuesOf(originals: readonly Original[], found: readonly (readonly Span[] | string)[]): ReadonlySet<string> {
  const values = new Set<string>();
  for (const [number, { text }] of originals.entries()) {
    const spans = found[number] as readonly Span[] | string;
    if (typeof spans === 'string') continue;
    for (const { from, to } of spans) {
      for (const value of piecesOf(text.slice(from, to))) if (isTelling(value)) values.add(value);
    }
  }
  return values;
}

/** A secret that holds another one goes as a whole. */
function longestFirst(values: readonly string[]): readonly string[] {
  return [...values].sort((a, b) => b.length - a.length);
}

function piecesOf(value: string): readonly string[] {
  const trimmed = value.trim();
  if (!trimmed.includes('\n')) return [trimmed];
  const lines = trimmed.split('\n').map((line) => line.trim());
  return lines.filter((line) => line.length >= LINE_LENGTH && !line.startsWith('-----'));
}

function isTelling(value: string): boolean {
  if (value.length < EVERYWHERE_LENGTH || PLAIN_PATH.test(value) || NO_SECRET.test(value)) return false;
  return CHARACTER_KINDS.filter((kind) => kind.test(value)).length >= EVERYWHERE_KINDS;
}

function occurrences(text: string, values: readonly string[]): Span[] {
  const spans: Span[] = [];
  for (const value of values) {
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + value.length)) {
      spans.push({ from: at, to: at + value.length, kind: 'secret of another place' });
    }
  }
  return spans;
}
