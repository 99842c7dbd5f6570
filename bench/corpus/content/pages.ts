// Binary files of pages, as databases and disk images have: small numbers in rows, names, much that is zero, some pages empty.

import type { Random } from '../random.ts';
import { vocabulary } from '../vocabulary.ts';

const PAGE_BYTES = 8192;
const ROW_BYTES = 96;

function fill(page: Buffer, number: number, random: Random): void {
  page.writeUInt32LE(number, 0);
  page.writeUInt32LE(random.below(2 ** 32), 4);
  const rows = random.below(Math.floor(PAGE_BYTES / ROW_BYTES));
  for (let row = 1; row <= rows; row++) {
    const at = row * ROW_BYTES;
    if (at + ROW_BYTES > page.length) return;
    page.writeUInt32LE(number * 100 + row, at);
    page.writeDoubleLE(random.normal() * 1000, at + 8);
    page.writeUInt16LE(random.below(500), at + 16);
    page.writeUInt32LE(random.below(2 ** 32), at + 20);
    page.write(random.pickSkewed(vocabulary), at + 32, 'latin1');
    page.write(random.pickSkewed(vocabulary), at + 60, 'latin1');
  }
}

export function pages(random: Random, sizeBytes: number): Buffer {
  const bytes = Buffer.alloc(sizeBytes);
  for (let number = 0; number * PAGE_BYTES < sizeBytes; number++) {
    const isEmpty = random.next() < 0.15;
    const page = bytes.subarray(number * PAGE_BYTES, (number + 1) * PAGE_BYTES);
    if (!isEmpty && page.length > ROW_BYTES) fill(page, number, random);
  }
  return bytes;
}
