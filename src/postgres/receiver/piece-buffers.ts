// Memory that pieces of log are read into, used again and again: touching fresh memory costs as much as hashing into it. Threads see it too.

/** What is no longer than this is not worth keeping. */
const SMALL_BYTES = 64 * 1024;

export class PieceBuffers {
  private readonly segmentSizeBytes: number;
  /** Kept at most. */
  private readonly most: number;
  private readonly free: SharedArrayBuffer[] = [];

  constructor(segmentSizeBytes: number, most: number) {
    this.segmentSizeBytes = segmentSizeBytes;
    this.most = most;
  }

  take(lengthBytes: number): Buffer {
    if (lengthBytes <= SMALL_BYTES) return Buffer.allocUnsafeSlow(lengthBytes);
    return Buffer.from(this.free.pop() ?? new SharedArrayBuffer(this.segmentSizeBytes), 0, lengthBytes);
  }

  /** Nobody reads `bytes` any more. */
  giveBack({ buffer }: Buffer): void {
    const isOurs = buffer instanceof SharedArrayBuffer && buffer.byteLength === this.segmentSizeBytes;
    if (isOurs && this.free.length < this.most) this.free.push(buffer);
  }

  /** While nothing is to be read, no memory is held. */
  clear(): void {
    this.free.length = 0;
  }
}
