// Values of names that say that they are secret: `password = …` in all the ways in which configuration files write it.

import { ARGUMENT_FORMS, WHOLE_ARGUMENT_FORMS } from './argument-forms.ts';
import { Brackets } from './brackets.ts';
import { PROGRAM_FORMS } from './program-forms.ts';
import { NAME, REST_OF_NAME, VALUE } from './secret-words.ts';
import type { Span } from './span.ts';
import { ValueEnds } from './value-ends.ts';

/** A quote behind the name may be one within a quoted text. */
const ASSIGNED = new RegExp(
  `(?<name>(?:${NAME})${REST_OF_NAME})(?:\\\\{0,3}["'\\]]){0,2}[ \\t]*(?:=>|:=|[=:])[ \\t]*(?<secret>${VALUE})`,
  'gid',
);
/** What `=` does elsewhere a space does in these. */
const FIRST_WORD = new RegExp(
  '^[ \\t]*(?:#[ \\t]*)?(?:password|passwd|passphrase|secret|requirepass|masterauth|rootpw|bindpw|rootbindpw|auth[_-]pass|sentinel[ \\t]+auth-pass[ \\t]+\\S+|token|psk)[ \\t]+' +
    `(?![=:]|(?:required|requisite|sufficient|optional|include|substack)\\b|\\[)(?<secret>${VALUE})`,
  'gimd',
);
/** A command in a script for redis-cli. In small letters the word is another program's setting. */
const AUTH_COMMAND = new RegExp(`^[ \\t]*AUTH[ \\t]+(?![=:[])(?<secret>${VALUE})`, 'gmd');
/** `CONFIG GET` of redis-cli, and others, give a name and its value a line each. */
const NEXT_LINE = new RegExp(
  `^[ \\t]*(?:\\d+\\)[ \\t]*)?["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?[ \\t]*\\n(?:[ \\t]*\\d+\\)[ \\t]*)?(?<secret>[^\\n]+)`,
  'gimd',
);
/** All that is indented below such a name: a block of text, or a mapping of secrets. */
const BLOCK = new RegExp(
  `^(?<indent>[ \\t]*)(?:-[ \\t]+)?["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?[ \\t]*[:=][ \\t]*(?:[|>][^\\n]*)?\\n(?<secret>(?:\\k<indent>[ \\t]+[^\\n]*(?:\\n|$)|[ \\t]*\\n)+)`,
  'gimd',
);
const MANIFEST_OF_SECRET = /^kind:[ \t]*Secret\b/m;
const ITS_DATA = /^(?:data|stringData):[ \t]*\n(?<secret>(?:[ \t]+[^\n]*(?:\n|$))+)/dgm;
const ELEMENT = new RegExp(`<[\\w:.-]{0,64}(?:${NAME})${REST_OF_NAME}[^>\\n]{0,200}>(?<secret>[^<]+)<`, 'gid');
const NAMED_ELEMENT = new RegExp(
  `(?:key|name)=["'][^"'\\n]{0,64}(?:${NAME})[^"'\\n]{0,64}["'][^>\\n]{0,100}?value=(?<secret>"[^"\\n]*"|'[^'\\n]*')`,
  'gid',
);
/** Name and value of their own each, on the same line or the next. */
const NAME_AND_VALUE = new RegExp(
  `\\bname["']?[ \\t]*[:=][ \\t]*["']?[\\w.-]{0,64}(?:${NAME})${REST_OF_NAME}["']?[ \\t]*,?\\s{0,100}["']?value["']?[ \\t]*[:=][ \\t]*(?<secret>${VALUE})`,
  'gid',
);

/** Where a value ends: at the end of its line, of its word, or where its pattern does. */
type Ending = 'line' | 'word' | 'pattern';

const PLAIN: readonly (readonly [Ending, readonly RegExp[]])[] = [
  ['line', [FIRST_WORD, AUTH_COMMAND, NAME_AND_VALUE]],
  ['pattern', [NEXT_LINE, BLOCK, ELEMENT, NAMED_ELEMENT, ...PROGRAM_FORMS, ...WHOLE_ARGUMENT_FORMS]],
  ['word', ARGUMENT_FORMS],
];

/** Words that are no secret under any name. */
const WORDS = /^(?:on|off|yes|no|true|false|none|null|nil|~|\{\}|\[\])[,;]?$/i;
const LEADS_TO_FILE = /(?:file|path|dir|directory)$/i;
const PLACE = /^["']?[/~][\w./@~-]*["']?[,;]?$/;
/** Settings whose value is the name of a method, and the name services of `nsswitch.conf`. */
const METHOD = /^password_encryption$/i;
const PLAIN_WORD = /^[\w-]+[,;]?(?:\s*#.*)?$/;
const NAME_SERVICES = /^(?:(?:files|compat|systemd|sss|ldap|nis|nisplus|db|winbind|\[[^\]]*\])\s*)+$/;

export function namedValues(text: string): Span[] {
  return new NamedValues(text).find();
}

class NamedValues {
  readonly #text: string;
  readonly #brackets: Brackets;
  readonly #ends: ValueEnds;
  readonly #spans: Span[] = [];

  constructor(text: string) {
    this.#text = text;
    this.#brackets = new Brackets(text);
    this.#ends = new ValueEnds(text);
  }

  find(): Span[] {
    this.#findAll(ASSIGNED, 'line', (match, value) => isHarmless(match.groups?.name ?? '', value));
    for (const [ending, patterns] of PLAIN) for (const pattern of patterns) this.#findAll(pattern, ending);
    if (MANIFEST_OF_SECRET.test(this.#text)) this.#findAll(ITS_DATA, 'pattern');
    return this.#spans;
  }

  #findAll(pattern: RegExp, ending: Ending, isNone?: (match: RegExpExecArray, value: string) => boolean): void {
    for (const match of this.#text.matchAll(pattern)) {
      const span = this.#spanOf(match, ending);
      const value = span && this.#text.slice(span.from, span.to);
      if (value === undefined || WORDS.test(value) || isNone?.(match, value)) continue;
      this.#spans.push(span as Span);
    }
  }

  /** Without the quotes and the white space around it; of a bracket, all that is in it. Nothing when that is nothing. */
  #spanOf(match: RegExpExecArray, ending: Ending): Span | undefined {
    const text = this.#text;
    let [from, to] = match.indices?.groups?.secret ?? [0, 0];
    const opening = text.charAt(from);
    to = this.#endOf(from, to, ending);
    while (to > from && /\s/.test(text.charAt(to - 1))) to--;
    while (from < to && /\s/.test(text.charAt(from))) from++;
    for (const quote of quotesOf(opening)) {
      const isQuoted = to - from >= 2 * quote.length && text.startsWith(quote, from) && text.endsWith(quote, to);
      if (isQuoted) return spanBetween(from + quote.length, to - quote.length);
    }
    return spanBetween(from, to);
  }

  #endOf(from: number, to: number, ending: Ending): number {
    const opening = this.#text.charAt(from);
    if (opening === '{' || opening === '[') return Math.max(to, this.#brackets.endOf(from, opening));
    if (ending === 'pattern') return to;
    return ending === 'line' ? this.#ends.ofLine(from, to) : this.#ends.ofWord(from, to);
  }
}

function quotesOf(opening: string): readonly string[] {
  return opening === '"' || opening === "'" ? [opening.repeat(3), opening] : [];
}

function spanBetween(from: number, to: number): Span | undefined {
  return from < to ? { from, to, kind: 'password' } : undefined;
}

function isHarmless(name: string, value: string): boolean {
  if (METHOD.test(name) && PLAIN_WORD.test(value)) return true;
  if (LEADS_TO_FILE.test(name) && PLACE.test(value)) return true;
  return name.toLowerCase() === 'passwd' && NAME_SERVICES.test(value);
}
