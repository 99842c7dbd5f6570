// An answer that is asked for once and kept; a failed attempt is forgotten.

export class Once<T> {
  readonly #ask: () => Promise<T>;
  #answer: Promise<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  get(): Promise<T> {
    return this.#answer ?? this.again();
  }

  /** Asks anew, and keeps that. */
  again(): Promise<T> {
    const answer = this.#ask();
    this.#answer = answer;
    answer.catch(() => {
      if (this.#answer === answer) this.#answer = undefined;
    });
    return answer;
  }
}
