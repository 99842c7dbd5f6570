// Markers that a text has already: what they stand for is no secret any more, and is not to be taken out a second time.

import type { Span } from './span.ts';

const MARKER = /\[(?:redacted [^\]\n]{1,80} [0-9a-f]{8}|withheld: [^\]\n]{1,120} [0-9a-f]{8}|volatile)\]/g;
/** A quote or a bracket that stood around a secret is none. */
const SAYS_SOMETHING = /[\p{L}\p{N}]/u;

/** What of the spans is in none of them. */
export function besideMarkers(text: string, spans: readonly Span[]): Span[] {
  const markers = [...text.matchAll(MARKER)].map((match) => [match.index, match.index + match[0].length] as const);
  if (markers.length === 0) return [...spans];
  return spans
    .flatMap((span) => cutOut(span, markers))
    .filter(({ from, to }) => SAYS_SOMETHING.test(text.slice(from, to)));
}

function cutOut({ from, to, kind }: Span, markers: readonly (readonly [number, number])[]): Span[] {
  const parts: Span[] = [];
  let at = from;
  for (const [begin, end] of markers) {
    if (end <= at || begin >= to) continue;
    if (begin > at) parts.push({ from: at, to: begin, kind });
    at = Math.max(at, end);
  }
  if (at < to) parts.push({ from: at, to, kind });
  return parts;
}
