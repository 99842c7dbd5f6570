// Sizes as people write and read them: a number and a unit of 1,024, as is usual for memory and disks.

import { fail } from '../errors/index.ts';

const BYTES_PER_UNIT = { KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 } as const;
const SIZE = /^(\d{1,9})(KiB|MiB|GiB|TiB)$/;

/** What a reader of a bad size is told. */
export const sizeExpected = 'a size such as 500MiB, 20GiB or 2TiB';

/** Bytes. Throws `USAGE`. */
export function parseSize(text: string): number {
  const [, digits = '', unit = ''] = SIZE.exec(text.trim()) ?? [];
  const bytes = Number(digits) * (BYTES_PER_UNIT[unit as keyof typeof BYTES_PER_UNIT] ?? Number.NaN);
  if (!(bytes > 0)) fail('USAGE', `expected ${sizeExpected}, got '${text}'`);
  return bytes;
}

/** Three digits, as everything printed for people tells bytes: `41.2 GiB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}
