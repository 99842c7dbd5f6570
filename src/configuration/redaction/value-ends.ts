// Where a value ends that its quote or its line does not end: glued together of quoted pieces, quoted over several lines, going on behind a backslash.

/** What programs quote for a shell is shorter: pieces that are glued together further than this end with their line. */
const LONGEST_GLUED = 1_024;
/** How far the quote around a value is looked for: a text of one line must be no square of work. */
const LONGEST_BEFORE = 256;
/** Of a quote that another line closes. */
const LONGEST_OVER_LINES = 2_048;
const ENDS_VALUE = /[\s,;)\]}>&|]/;
const EMPTY_LINE = /\n[ \t\r]*\n/;
/** In front of a quote: it opens another value, and closes none. */
const OPENS = /[=:,([{][ \t]*$/;
/** What goes on behind a blank and a backslash is a command, and not its value: another option, another variable, another command. */
const GOES_ON_ELSEWHERE = /^[ \t]*(?:[-&|;<>#)}\]]|[A-Za-z_][\w.-]{0,64}[ \t]*=|\r?\n|$)/;

export class ValueEnds {
  readonly #text: string;
  /** Of the end of a line, where the last of the lines ends that go on from it. */
  readonly #continued = new Map<number, number>();

  constructor(text: string) {
    this.#text = text;
  }

  /** Of a value that takes the rest of its line unless it is quoted. `to`: where it ends by its pattern. */
  ofLine(from: number, to: number): number {
    const block = this.#text.slice(from, from + 3);
    if (block === '"""' || block === "'''") {
      const end = this.#text.indexOf(block, from + 3);
      if (end !== -1) return end + block.length;
    }
    const quote = this.#text.charAt(from);
    if (!isQuote(quote)) return this.#lastLineFrom(to);
    return this.#lastLineFrom(this.#isClosed(from, to) ? this.#glued(from, to) : this.#overLines(quote, to));
  }

  /** Of an argument in a command line. */
  ofWord(from: number, to: number): number {
    return this.#isClosed(from, to) ? this.#glued(from, to) : this.#endOfWord(from, from);
  }

  #isClosed(from: number, to: number): boolean {
    const quote = this.#text.charAt(from);
    return isQuote(quote) && to - from > 1 && this.#text.charAt(to - 1) === quote && !this.#isEscaped(quote, to - 1);
  }

  /** Between single quotes a backslash is mostly itself. */
  #isEscaped(quote: string, at: number): boolean {
    let first = at;
    while (quote === '"' && this.#text.charAt(first - 1) === '\\') first--;
    return (at - first) % 2 === 1;
  }

  /** `to`: behind a quote, where something may follow that belongs to the same value. */
  #glued(from: number, to: number): number {
    const next = this.#text.charAt(to);
    const isOver = next === '' || ENDS_VALUE.test(next) || /^[/?]>/.test(this.#text.slice(to, to + 2));
    return isOver ? to : this.#endOfWord(to, from);
  }

  /** As a shell reads it, from `at` outside of quotes: the next white space, or what closes the quote around the value that begins at `from`. */
  #endOfWord(at: number, from: number): number {
    const text = this.#text;
    let quote = '';
    let next = at;
    for (; next < text.length && next - at < LONGEST_GLUED; next++) {
      const character = text.charAt(next);
      if (character === '\\' && quote !== "'") next++;
      else if (quote !== '') {
        if (character === '\n') return next;
        if (character === quote) quote = '';
      } else if (isQuote(character)) {
        if (this.#closesAround(next, from)) return next;
        quote = character;
      } else if (/\s/.test(character)) return next;
    }
    return this.#lineEnd(next);
  }

  /** Whether the quote at `at` closes one that was opened in front of the value. */
  #closesAround(at: number, from: number): boolean {
    const text = this.#text;
    const next = text.charAt(at + 1);
    if (next !== '' && next !== ':' && !ENDS_VALUE.test(next)) return false;
    const before = text.slice(Math.max(0, from - LONGEST_BEFORE), from);
    const line = before.slice(before.lastIndexOf('\n') + 1);
    return (line.split(text.charAt(at)).length - 1) % 2 === 1;
  }

  /** Where another line closes the quote, if one does soon. */
  #overLines(quote: string, to: number): number {
    const rest = this.#text.slice(to, to + LONGEST_OVER_LINES);
    let at = rest.indexOf(quote);
    while (at !== -1 && this.#isEscaped(quote, to + at)) at = rest.indexOf(quote, at + 1);
    if (at === -1) return to;
    const between = rest.slice(0, at);
    return EMPTY_LINE.test(between) || OPENS.test(between) ? to : to + at + 1;
  }

  #lastLineFrom(to: number): number {
    const passed = [to];
    let end = to;
    for (; this.#goesOn(end); passed.push(end)) {
      const known = this.#continued.get(end);
      end = known ?? this.#lineEnd(end + 1);
      if (known !== undefined) break;
    }
    for (const each of passed) this.#continued.set(each, end);
    return end;
  }

  #goesOn(end: number): boolean {
    const known = this.#continued.get(end);
    if (known !== undefined) return known !== end;
    const text = this.#text;
    if (text.charAt(end) !== '\n') return false;
    let at = text.charAt(end - 1) === '\r' ? end - 1 : end;
    let backslashes = 0;
    for (; text.charAt(at - 1) === '\\'; at--) backslashes++;
    if (backslashes % 2 === 0) return false;
    const isGlued = !/\s/.test(text.charAt(at - 1));
    return isGlued || !GOES_ON_ELSEWHERE.test(text.slice(end + 1, end + 1 + LONGEST_BEFORE));
  }

  #lineEnd(from: number): number {
    const end = this.#text.indexOf('\n', from);
    return end === -1 ? this.#text.length : end;
  }
}

function isQuote(character: string): boolean {
  return character === '"' || character === "'";
}
