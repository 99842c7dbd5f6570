// Where the brackets of a text are closed, found once for all of them: asked one by one, a text of brackets would be a square of work.

type Opening = '{' | '[';

const CLOSING = { '{': '}', '[': ']' } as const;

export class Brackets {
  readonly #text: string;
  readonly #ends = new Map<Opening, Int32Array>();

  constructor(text: string) {
    this.#text = text;
  }

  /** Behind the bracket that closes the one at `from`; the end of the text where none does. */
  endOf(from: number, opening: Opening): number {
    const known = this.#ends.get(opening);
    const ends = known ?? endsOf(this.#text, opening);
    if (!known) this.#ends.set(opening, ends);
    return ends[from] || this.#text.length;
  }
}

function endsOf(text: string, opening: Opening): Int32Array {
  const [opens, closes] = [opening.charCodeAt(0), CLOSING[opening].charCodeAt(0)];
  const ends = new Int32Array(text.length);
  const open: number[] = [];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === opens) open.push(at);
    if (code !== closes) continue;
    const from = open.pop();
    if (from !== undefined) ends[from] = at + 1;
  }
  return ends;
}
