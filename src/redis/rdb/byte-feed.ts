// Bytes that come in pieces, read by a generator that says how many it needs at once: nothing but the unread rest is kept.

/** What a reader yields: so many bytes are to be at hand before it goes on. */
export type Reader<Result> = Generator<number, Result, void>;

/** Of memory that is taken at once, so that it need not grow with every piece. */
const STEP_BYTES = 128 * 1024;

export class ByteFeed {
  bytes: Buffer = Buffer.alloc(0);
  at = 0;
  /** Where the unread rest is put together with what comes: used again and again, because large memory that is left to the collector calls for it. */
  #joined: Buffer = Buffer.alloc(0);
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

  /** The chunk is its giver's again when this returns. */
  push(chunk: Buffer): void {
    if (this.#isDone) return;
    if (this.left > 0) this.#join(chunk);
    else {
      this.bytes = chunk;
      this.at = 0;
    }
    this.#run();
    if (this.bytes === chunk) this.#join(Buffer.alloc(0));
  }

  #join(chunk: Buffer): void {
    const { left } = this;
    const size = left + chunk.length;
    const to = size <= this.#joined.length ? this.#joined : Buffer.allocUnsafeSlow(size + STEP_BYTES);
    this.bytes.copy(to, 0, this.at);
    chunk.copy(to, left);
    this.#joined = to;
    this.bytes = to.subarray(0, size);
    this.at = 0;
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
