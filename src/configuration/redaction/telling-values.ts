// Which of what was found is a secret wherever it stands, and which is a word that stands anywhere.

import type { Span } from './span.ts';
import { meaningsOf } from './unquoted.ts';

/** Shorter ones, and those of one kind of character alone, are ordinary words too often to be taken out everywhere. */
export const EVERYWHERE_LENGTH = 8;
const EVERYWHERE_KINDS = 2;
/** A capital at its beginning does not make a word anything else. */
const CHARACTER_KINDS = [/[a-z]/, /.[A-Z]/s, /[0-9]/, /[^A-Za-z0-9._-]/];
/** A reference, a comment, a placeholder. */
const NO_SECRET = /^[#$<({%]/;
/** A sentence: more blanks are in no password. */
const MOST_BLANKS = 5;
/** Of a key of many lines, each line is a secret by itself. */
const LINE_LENGTH = 24;
const PLAIN_PATH = /^\/[a-z0-9._@-]+(?:\/[a-z0-9._@-]+)+$/;

export function valuesIn(text: string, spans: readonly Span[]): string[] {
  const values = new Set<string>();
  for (const { from, to } of spans) {
    const [quote = ''] = /["']/.exec(text.charAt(from - 1)) ?? [];
    for (const value of piecesOf(text.slice(from, to), quote)) if (isTelling(value)) values.add(value);
  }
  return [...values];
}

/** Without quotes nobody knows where a value ends: at the end of its line, or in front of what else stands there. */
const FIRST_WORD = /^[^\s;,&"']+/;

/** What is longer is no word that somebody quotes. */
const LONGEST_QUOTED = 4_096;

function piecesOf(value: string, quote: string): readonly string[] {
  const trimmed = value.trim();
  const meanings = trimmed.length > LONGEST_QUOTED ? [trimmed] : meaningsOf(trimmed, quote);
  if (!meanings[0]?.includes('\n')) {
    return [...meanings, ...(quote === '' ? [FIRST_WORD.exec(trimmed)?.[0] ?? ''] : [])];
  }
  const lines = trimmed.split('\n').map((line) => line.trim());
  return lines.filter((line) => line.length >= LINE_LENGTH && !line.startsWith('-----'));
}

export function isTelling(value: string): boolean {
  if (value.length < EVERYWHERE_LENGTH || PLAIN_PATH.test(value) || NO_SECRET.test(value)) return false;
  if ((value.match(/\s+/g)?.length ?? 0) > MOST_BLANKS) return false;
  return CHARACTER_KINDS.filter((kind) => kind.test(value)).length >= EVERYWHERE_KINDS;
}
