// Where bytes are not all zeros, block by block of the file that they belong to.

const BLOCK_BYTES = 4096;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Stretches of `bytes`, which lie at `position` of a file, without its whole blocks of zeros. */
export function* stretchesWithData(bytes: Uint8Array, position: number): Generator<{ from: number; to: number }> {
  let start: number | undefined;
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + BLOCK_BYTES - ((position + from) % BLOCK_BYTES));
    const isZero = ZEROS.compare(bytes, from, to, 0, to - from) === 0;
    if (isZero && start !== undefined) {
      yield { from: start, to: from };
      start = undefined;
    } else if (!isZero) start ??= from;
    from = to;
  }
  if (start !== undefined) yield { from: start, to: bytes.length };
}
