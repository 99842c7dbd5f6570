// CRC-32C (Castagnoli), the checksum of every log record (RFC 3720, appendix B.4).

function makeTable(): Uint32Array {
  const table = new Uint32Array(256);
  for (let byte = 0; byte < 256; byte += 1) {
    let value = byte;
    for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? (value >>> 1) ^ 0x82f6_3b78 : value >>> 1;
    table[byte] = value >>> 0;
  }
  return table;
}

const table = makeTable();

/** Of `parts` in order, as if they were one run of bytes. */
export function crc32c(...parts: readonly Uint8Array[]): number {
  let crc = 0xffff_ffff;
  for (const part of parts) {
    for (let index = 0; index < part.length; index += 1) crc = table[(crc ^ part[index]!) & 0xff]! ^ (crc >>> 8);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}
