// How many bytes may be in memory at once: whoever wants more waits until others gave theirs back.

export class ByteBudget {
  readonly #limit: number;
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(limitBytes: number) {
    this.#limit = limitBytes;
  }

  /** What is larger than the whole budget gets it alone. Gives back by the function it resolves with. */
  async take(bytes: number): Promise<() => void> {
    while (this.#taken > 0 && this.#taken + bytes > this.#limit) {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
    this.#taken += bytes;
    return () => {
      this.#taken -= bytes;
      for (const wake of this.#waiting.splice(0)) wake();
    };
  }
}
