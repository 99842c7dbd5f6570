// Takes exact numbers of bytes out of a stream of buffers, copying only where one ends in the middle.

export class ExactReader {
  private readonly source: AsyncIterator<Buffer>;
  private readonly onShort: () => never;
  private rest: Buffer = Buffer.alloc(0);

  /** `onShort` throws what is to be told when the stream ends early, or goes on behind its end. */
  constructor(source: AsyncIterable<Buffer>, onShort: () => never) {
    this.source = source[Symbol.asyncIterator]();
    this.onShort = onShort;
  }

  async take(sizeBytes: number): Promise<Buffer> {
    if (this.rest.length >= sizeBytes) return this.cut(sizeBytes);
    const parts = [this.rest];
    let have = this.rest.length;
    while (have < sizeBytes) {
      const { value, done } = await this.source.next();
      if (done) return this.onShort();
      parts.push(value);
      have += value.length;
    }
    this.rest = Buffer.concat(parts, have);
    return this.cut(sizeBytes);
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
