// Takes exact numbers of bytes out of a stream of buffers, copying only what lies across two of them.

export class ExactReader {
  private readonly source: AsyncIterator<Buffer>;
  private readonly onShort: () => never;
  private rest: Buffer = Buffer.alloc(0);
  /** For what lies across. */
  private own: Buffer = Buffer.alloc(0);

  /** `onShort` throws what is to be told when the stream ends early, or goes on behind its end. */
  constructor(source: AsyncIterable<Buffer>, onShort: () => never) {
    this.source = source[Symbol.asyncIterator]();
    this.onShort = onShort;
  }

  /** Good until the next bytes are asked for. */
  async take(sizeBytes: number): Promise<Buffer> {
    if (this.rest.length >= sizeBytes) return this.cut(sizeBytes);
    if (this.own.length < sizeBytes) this.own = Buffer.allocUnsafeSlow(sizeBytes);
    // The source takes its buffer back when it is asked for the next one.
    let have = this.rest.copy(this.own);
    this.rest = Buffer.alloc(0);
    while (have < sizeBytes) {
      const { value, done } = await this.source.next();
      if (done) return this.onShort();
      const count = value.copy(this.own, have, 0, sizeBytes - have);
      have += count;
      this.rest = value.subarray(count);
    }
    return this.own.subarray(0, sizeBytes);
  }

  /** Reads on to the end, where nothing may be left. */
  async end(): Promise<void> {
    for (;;) {
      const { value, done } = await this.source.next();
      if (this.rest.length > 0 || (!done && value.length > 0)) return this.onShort();
      if (done) return;
    }
  }

  private cut(sizeBytes: number): Buffer {
    const taken = this.rest.subarray(0, sizeBytes);
    this.rest = this.rest.subarray(sizeBytes);
    return taken;
  }
}
