// The checksum of a PostgreSQL page: 32 interleaved FNV-1a sums, folded, mixed with the block number (PostgreSQL, "Data Checksums").

const LANES = 32;
const FNV_PRIME = 16_777_619;

/** Where each sum starts; part of the on-disk format, the same in all supported versions. */
const seeds = Int32Array.from([
  0x5b1f36e9, 0xb8525960, 0x02ab50aa, 0x1de66d2a, 0x79ff467a, 0x9bb9f8a3, 0x217e7cd2, 0x83e13d2c, 0xf8d4474f,
  0xe39eb970, 0x42c6ae16, 0x993216fa, 0x7b093b5d, 0x98daff3c, 0xf718902a, 0x0b1c9cdb, 0xe58f764b, 0x187636bc,
  0x5d7b3bb1, 0xe73de7de, 0x92bec979, 0xcca6c0b2, 0x304a0979, 0x85aa43d4, 0x783125bb, 0x6ca8eaa2, 0xe407eac6,
  0x4b5cfc3e, 0x9fbf8c76, 0x15ca20be, 0xf2ca9fd3, 0x959bd756,
]);

const CHECKSUM_OFFSET = 8;
const UPPER_OFFSET = 14;

/** One verifier a stream: it owns the memory it computes in. */
export class PageChecker {
  private readonly pageBytes: Uint8Array;
  private readonly words: Uint32Array;
  private readonly startHigh: number;
  private readonly startLow: number;

  /** Pages changed at or after `startLsn` may be torn: the log repairs them. */
  constructor(pageSizeBytes: number, startLsn: bigint) {
    this.pageBytes = new Uint8Array(pageSizeBytes);
    this.words = new Uint32Array(this.pageBytes.buffer);
    this.startHigh = Number(startLsn >> 32n);
    this.startLow = Number(startLsn & 0xffff_ffffn);
  }

  /** Whether the page at `page[at…]` is what the server once wrote; new pages and those changed since the start pass. */
  isGood(page: Buffer, at: number, block: number): boolean {
    if (page.readUInt16LE(at + UPPER_OFFSET) === 0) return true;
    const high = page.readUInt32LE(at);
    if (high > this.startHigh || (high === this.startHigh && page.readUInt32LE(at + 4) >= this.startLow)) return true;
    this.pageBytes.set(page.subarray(at, at + this.pageBytes.length));
    this.pageBytes[CHECKSUM_OFFSET] = 0;
    this.pageBytes[CHECKSUM_OFFSET + 1] = 0;
    return page.readUInt16LE(at + CHECKSUM_OFFSET) === (((fold(this.words) ^ block) >>> 0) % 65_535) + 1;
  }
}

/** Eight sums at a time: one alone waits for each of its multiplications. */
function fold(words: Uint32Array): number {
  let result = 0;
  for (let lane = 0; lane < LANES; lane += 8) {
    let a = seeds[lane]!;
    let b = seeds[lane + 1]!;
    let c = seeds[lane + 2]!;
    let d = seeds[lane + 3]!;
    let e = seeds[lane + 4]!;
    let f = seeds[lane + 5]!;
    let g = seeds[lane + 6]!;
    let h = seeds[lane + 7]!;
    for (let index = lane; index < words.length; index += LANES) {
      a = mix(a ^ words[index]!);
      b = mix(b ^ words[index + 1]!);
      c = mix(c ^ words[index + 2]!);
      d = mix(d ^ words[index + 3]!);
      e = mix(e ^ words[index + 4]!);
      f = mix(f ^ words[index + 5]!);
      g = mix(g ^ words[index + 6]!);
      h = mix(h ^ words[index + 7]!);
    }
    // Two rounds of zeros, so that the last words are mixed as well as the first.
    result ^= mix(mix(a)) ^ mix(mix(b)) ^ mix(mix(c)) ^ mix(mix(d));
    result ^= mix(mix(e)) ^ mix(mix(f)) ^ mix(mix(g)) ^ mix(mix(h));
  }
  return result;
}

function mix(sum: number): number {
  return Math.imul(sum, FNV_PRIME) ^ (sum >>> 17);
}
