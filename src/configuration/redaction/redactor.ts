// Makes of originals the texts that may be seen: every secret that is found becomes a marker, in the place where it was found and everywhere else.

import type { FoundSecret, RedactionRule } from '../types.ts';
import { knownForms } from './known-forms.ts';
import { digitsOf, markerOf } from './marker.ts';
import { besideMarkers } from './markers-in.ts';
import { namedValues } from './named-values.ts';
import { Occurrences } from './occurrences.ts';
import { RANDOM, randomWords } from './random-words.ts';
import { linesOf, merged, notWithin, type Span } from './span.ts';
import { valuesIn } from './telling-values.ts';
import { UserRules } from './user-rules.ts';

/** What a dump makes up anew each time, and means nothing afterwards. */
const VOLATILE = /^\\(?:un)?restrict[ \t]+(?<word>\S+)/dgm;
const VOLATILE_KIND = 'volatile';

/** A line of Git's own, with names in it. */
const HEADER = /^(?:diff --git|---|\+\+\+) /;

/** One that holds blanks stands in quotes. */
const ARGUMENT_SEPARATORS = ` '"`;

/** A text, and where it is from. */
export interface Original {
  /** For the marker and for people: a path as the tree has it, or `commands/NAME`. */
  readonly place: string;
  /** Absent for an output. */
  readonly path?: string;
  readonly text: string;
}

/** A name, a target of a link, words of a program: one short text by itself. */
export interface ShortText extends Original {
  /** Each part between these is looked at by itself, too: a secret may be all of a name, or all of an argument. */
  readonly splitAt?: '/' | ' ';
}

export interface Redacted {
  readonly text: string;
  readonly secrets: readonly FoundSecret[];
}

/** The pattern took too long: what it would have found is not known. */
export interface TooLong {
  readonly tooLong: string;
}

export interface Findings {
  readonly spans: readonly Span[];
  /** What is a secret wherever it stands. */
  readonly values: readonly string[];
  /** The same, of what only looks random: it does so in every later text, too. */
  readonly words: readonly string[];
}

export interface RedactorOptions {
  /** Makes markers; 32 bytes that nobody else has. */
  readonly key: Uint8Array;
  readonly rules: readonly RedactionRule[];
  /** For one rule on one text; default 2,000. */
  readonly ruleLimitMs?: number;
}

export class Redactor {
  readonly #key: Uint8Array;
  readonly #rules: UserRules;
  #everywhere = new Occurrences([]);

  constructor({ key, rules, ruleLimitMs }: RedactorOptions) {
    this.#key = key;
    this.#rules = new UserRules(rules, ruleLimitMs);
  }

  /** All that is taken out of every text from now on, whatever stands around it. */
  know(values: readonly string[]): void {
    this.#everywhere = new Occurrences(values);
  }

  find({ text, path }: Pick<Original, 'text' | 'path'>): Findings | TooLong {
    const found = this.#look(text, path, 'texts');
    if ('tooLong' in found) return found;
    const spans = merged(found);
    const isWord = ({ kind }: Span) => kind === RANDOM;
    const values = valuesIn(
      text,
      spans.filter((span) => !isWord(span)),
    );
    return { spans, values, words: valuesIn(text, spans.filter(isWord)) };
  }

  /** `spans`: as `find` gave them. */
  write({ text, place }: Original, spans: readonly Span[]): Redacted {
    return this.#write({ text, place }, merged([...spans, ...this.#everywhere.in(text)]));
  }

  words({ text, place, path, splitAt }: ShortText): Pick<Redacted, 'text'> | TooLong {
    const areNames = splitAt === '/';
    const separators = splitAt === ' ' ? ARGUMENT_SEPARATORS : (splitAt ?? '');
    const found = this.#lookAtParts(text, { separators, areNames, ...(path !== undefined && { path }) });
    if ('tooLong' in found) return found;
    return { text: this.#write({ place, text }, merged([...found, ...this.#everywhere.in(text)])).text };
  }

  /**
   * What Git shows of a difference, which may be of texts that were made when less was known: each line by itself, without its sign, and names in
   * it as names. A marker that stands there stays.
   */
  difference(text: string): Pick<Redacted, 'text'> | TooLong {
    const lines: string[] = [];
    for (const line of text.split('\n')) {
      const sign = /^[ +-]/.test(line) ? 1 : 0;
      const rest = line.slice(sign);
      const found = HEADER.test(line)
        ? this.#lookAtParts(rest, { separators: '/ \t', areNames: true })
        : this.#lookAtParts(rest, { separators: '/', areNames: false });
      if ('tooLong' in found) return found;
      const spans = besideMarkers(rest, merged([...found, ...this.#everywhere.in(rest)]));
      lines.push(`${line.slice(0, sign)}${this.#write({ place: 'difference', text: rest }, spans).text}`);
    }
    return { text: lines.join('\n') };
  }

  #lookAtParts(text: string, { separators, areNames, path }: Parts): Span[] | TooLong {
    const spans: Span[] = [];
    for (const { from, part } of partsOf(text, separators)) {
      // A path of many words is none that looks random, whatever one of its parts does to the whole.
      const isPath = areNames && part.includes('/');
      const found = isPath ? this.#lookForKnown(part, path, 'words') : this.#look(part, path, 'words');
      if ('tooLong' in found) return found;
      for (const span of found) spans.push({ ...span, from: span.from + from, to: span.to + from });
    }
    return spans;
  }

  #look(text: string, path: string | undefined, of: 'texts' | 'words'): Span[] | TooLong {
    const found = this.#lookForKnown(text, path, of);
    return 'tooLong' in found ? found : [...found, ...randomWords(text)];
  }

  #lookForKnown(text: string, path: string | undefined, of: 'texts' | 'words'): Span[] | TooLong {
    const own = this.#rules.find(text, path, of);
    // A byte order mark would hide the beginning of the first line.
    const plain = text.replace(/^\ufeff/, ' ');
    return 'tooLong' in own ? own : [...own.spans, ...knownForms(plain), ...namedValues(plain)];
  }

  #write({ text, place }: Original, spans: readonly Span[]): Redacted {
    const parts: string[] = [];
    let at = 0;
    const volatile = [...text.matchAll(VOLATILE)].map(({ indices }) => {
      const [from, to] = indices?.groups?.word ?? [0, 0];
      return { from, to, kind: VOLATILE_KIND };
    });
    const secrets = notWithin(spans, volatile);
    for (const { from, to, kind } of merged([...secrets, ...volatile])) {
      parts.push(text.slice(at, from), this.#marker(text.slice(from, to), kind, place));
      at = to;
    }
    parts.push(text.slice(at));
    const lines = linesOf(text, secrets);
    const told = secrets.map(({ kind }, number) => ({ place, line: lines[number] as number, kind }));
    return { text: parts.join(''), secrets: told };
  }

  #marker(value: string, kind: string, place: string): string {
    return kind === VOLATILE_KIND ? '[volatile]' : markerOf(kind, digitsOf(this.#key, value, place));
  }
}

interface Parts {
  /** Each one character. */
  readonly separators: string;
  readonly areNames: boolean;
  /** Of the file, for rules of some files. */
  readonly path?: string;
}

/** The whole, and what stands between the separators, each of which is one character. */
function partsOf(text: string, separators: string): { readonly from: number; readonly part: string }[] {
  const parts = [{ from: 0, part: text }];
  let from = 0;
  for (let at = 0; at <= text.length; at++) {
    if (at < text.length && !separators.includes(text.charAt(at))) continue;
    if (at > from && at - from < text.length) parts.push({ from, part: text.slice(from, at) });
    from = at + 1;
  }
  return parts;
}
