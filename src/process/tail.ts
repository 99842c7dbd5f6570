// Keeps the end of a stream of text within bounds, with the secrets taken out before anybody can see them.

const mask = '[secret]';

export class Tail {
  readonly #limitChars: number;
  readonly #secrets: readonly string[];
  #text = '';
  #isCut = false;

  constructor(limitChars: number, secrets: readonly string[] = []) {
    this.#limitChars = limitChars;
    // Longest first, so that a secret which contains another leaves no rest behind.
    this.#secrets = secrets.filter((secret) => secret !== '').toSorted((a, b) => b.length - a.length);
  }

  /** Redacts before cutting: a secret may arrive in pieces, and a cut through one would hide it from the search. */
  add(text: string): void {
    this.#text = redact(this.#text + text, this.#secrets);
    const margin = this.#secrets[0]?.length ?? 0;
    const excess = this.#text.length - this.#limitChars - margin;
    if (excess <= 0) return;
    this.#isCut = true;
    this.#text = this.#text.slice(excess);
  }

  /** At most the limit, trimmed. It begins with a line: half of one may be a secret without the word in front that says so. */
  toString(): string {
    const isCut = this.#isCut || this.#text.length > this.#limitChars;
    const text = this.#text.slice(-this.#limitChars);
    return (isCut ? text.slice(text.indexOf('\n') + 1) : text).trim();
  }
}

export function redact(text: string, secrets: readonly string[]): string {
  return secrets.reduce((redacted, secret) => (secret === '' ? redacted : redacted.replaceAll(secret, mask)), text);
}
