// Long words that look random: keys and tokens of which nobody knows the form.

import type { Span } from './span.ts';

export const RANDOM = 'random-looking word';

const WORD = /[A-Za-z0-9+/_-]{24,}={0,2}/g;
const PAIRS = 14;
/** Public by their nature, and random-looking. Each look ends at the next five hyphens: a text of nothing but beginnings is no square of work. */
const PUBLIC =
  /-----BEGIN (?:TRUSTED |X509 )?(?:CERTIFICATE|PUBLIC KEY|RSA PUBLIC KEY|X509 CRL|DH PARAMETERS|EC PARAMETERS|CERTIFICATE REQUEST)-----[A-Za-z0-9+/=\s]*-----END|-----BEGIN PGP (?:PUBLIC KEY BLOCK|SIGNATURE)-----(?:(?!-----)[A-Za-z0-9+/=\s:.()_-])*-----END|\bAAAA(?:B3Nza|C3Nza|E2Vj|G[A-Za-z0-9+/]{3})[A-Za-z0-9+/=]+/g;
/** Of random base64, two neighbours are of different classes in 64 of 100 places; of words and paths, in far fewer than 40. */
const CHANGES = 0.4;
const DIGITS = 2;
const OTHER = 3;

export function randomWords(text: string): Span[] {
  const open = [...text.matchAll(PUBLIC)].map((match) => [match.index, match.index + match[0].length] as const);
  const spans: Span[] = [];
  let next = 0;
  for (const match of text.matchAll(WORD)) {
    const from = match.index;
    const to = from + match[0].length;
    while (next < open.length && (open[next] as readonly [number, number])[1] <= from) next++;
    const around = open[next];
    if (around && from >= around[0] && to <= around[1]) continue;
    if (looksRandom(match[0])) spans.push({ from, to, kind: RANDOM });
  }
  return spans;
}

function looksRandom(word: string): boolean {
  const counts = [0, 0, 0, 0];
  let changes = 0;
  let pairs = 0;
  let before = OTHER;
  for (let at = 0; at < word.length; at++) {
    const kind = classOf(word.charCodeAt(at));
    counts[kind] = (counts[kind] as number) + 1;
    // What joins words is no sign of anything.
    if (kind !== OTHER && before !== OTHER) {
      pairs++;
      if (kind !== before) changes++;
    }
    before = kind;
  }
  const [lower = 0, upper = 0, digits = 0] = counts;
  return lower > 0 && upper > 0 && digits >= DIGITS && pairs >= PAIRS && changes / pairs >= CHANGES;
}

function classOf(code: number): number {
  if (code >= 0x61 && code <= 0x7a) return 0;
  if (code >= 0x41 && code <= 0x5a) return 1;
  return code >= 0x30 && code <= 0x39 ? 2 : OTHER;
}
