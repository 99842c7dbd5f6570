// A stretch of a text that is a secret, and how stretches that overlap become one.

export interface Span {
  readonly from: number;
  /** Behind its last character. */
  readonly to: number;
  /** What kind of secret, for people: `password`, `private key`. */
  readonly kind: string;
}

/** In order, none touching another; a union has the kind of its longest part. */
export function merged(spans: readonly Span[]): Span[] {
  const result: { from: number; to: number; kind: string; longest: number }[] = [];
  for (const { from, to, kind } of [...spans].sort((a, b) => a.from - b.from || b.to - a.to)) {
    if (to <= from) continue;
    const last = result.at(-1);
    if (!last || from >= last.to) {
      result.push({ from, to, kind, longest: to - from });
      continue;
    }
    if (to - from > last.longest) Object.assign(last, { kind, longest: to - from });
    last.to = Math.max(last.to, to);
  }
  return result.map(({ from, to, kind }) => ({ from, to, kind }));
}

/** Those that lie wholly inside of none of `others`; both in order. */
export function notWithin(spans: readonly Span[], others: readonly Span[]): Span[] {
  let next = 0;
  return spans.filter(({ from, to }) => {
    while (next < others.length && (others[next] as Span).to <= from) next++;
    const other = others[next];
    return other === undefined || other.from > from || other.to < to;
  });
}

/** Numbers of the lines that spans begin in, from 1; the spans in their order. */
export function linesOf(text: string, spans: readonly Span[]): number[] {
  let line = 1;
  let at = 0;
  return spans.map(({ from }) => {
    for (; at < from; at++) if (text.charCodeAt(at) === 0x0a) line++;
    return line;
  });
}
