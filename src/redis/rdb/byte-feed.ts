// Bytes that come in pieces, read by a generator that says how many it needs at once: nothing but the unread rest is kept.

/** What a reader yields: so many bytes are to be at hand before it goes on. */
export type Reader<Result> = Generator<number, Result, void>;

export class ByteFeed {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  #toSkip = 0;
  #wanted = 0;
  #hasEnded = false;
  #isDone = false;
  #reader: Reader<void> | undefined;

  read(reader: Reader<void>): void {
    this.#reader = reader;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  /** Over whatever comes; the reader yields after it when `isSkipping`. */
  skip(count: number): void {
    const here = Math.min(count, this.left);
    this.at += here;
    this.#toSkip = count - here;
  }

  get isSkipping(): boolean {
    return this.#toSkip > 0;
  }

  push(chunk: Buffer): void {
    if (this.#isDone) return;
    this.bytes = this.left > 0 ? Buffer.concat([this.bytes.subarray(this.at), chunk]) : chunk;
    this.at = 0;
    this.#run();
  }

  /** Throws `RangeError` when the reader was not through. */
  end(): void {
    this.#hasEnded = true;
    this.#run();
    if (!this.#isDone) throw new RangeError('it is cut off');
  }

  #run(): void {
    while (!this.#isDone) {
      if (this.#toSkip > 0) this.skip(this.#toSkip);
      if (this.#toSkip > 0) {
        if (this.#hasEnded) throw new RangeError('it is cut off');
        return;
      }
      if (this.left < this.#wanted && !this.#hasEnded) return;
      const step = this.#reader?.next();
      this.#isDone = step?.done !== false;
      this.#wanted = step?.done === false ? step.value : 0;
    }
  }
}
