// LZF, by which servers shorten strings in an RDB (LibLZF, lzf_d.c).

/** Throws `RangeError` when the bytes are not what was said. */
export function decompressLzf(packed: Uint8Array, sizeBytes: number): Buffer {
  const plain = Buffer.alloc(sizeBytes);
  let from = 0;
  let to = 0;
  const next = () => packed[from++] ?? past();
  while (from < packed.length) {
    const control = next();
    if (control < 32) {
      const end = from + control + 1;
      if (end > packed.length || to + control + 1 > sizeBytes) past();
      plain.set(packed.subarray(from, end), to);
      to += control + 1;
      from = end;
      continue;
    }
    const short = control >> 5;
    const length = (short === 7 ? 7 + next() : short) + 2;
    let source = to - ((control & 0x1f) << 8) - next() - 1;
    if (source < 0 || to + length > sizeBytes) past();
    // Byte by byte: the two may overlap.
    for (let count = 0; count < length; count++) plain[to++] = plain[source++] as number;
  }
  if (to !== sizeBytes) past();
  return plain;
}

function past(): never {
  throw new RangeError('the compressed string is not what was said');
}
