// Bandwidths as people write them in the configuration: `50MB/s`.

import { fail } from '../errors/index.ts';

const BYTES_PER_UNIT = { KB: 1e3, MB: 1e6, GB: 1e9, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;
const BANDWIDTH = /^(\d{1,6})(KB|MB|GB|KiB|MiB|GiB)\/s$/;
/** With less, a pack of 30 MiB would take longer than a store keeps a connection open. */
const LEAST_BYTES_PER_SECOND = 100_000;

/** What a reader of a bad bandwidth is told. */
export const bandwidthExpected = 'bytes per second such as 50MB/s, 800KB/s or 1GiB/s, at least 100KB/s';

/** Bytes per second. Bits are refused: nobody would see the factor of eight. Throws `CONFIG_INVALID`. */
export function parseBandwidth(text: string): number {
  const [, digits = '', unit = ''] = BANDWIDTH.exec(text.trim()) ?? [];
  const bytesPerSecond = Number(digits) * (BYTES_PER_UNIT[unit as keyof typeof BYTES_PER_UNIT] ?? Number.NaN);
  if (bytesPerSecond >= LEAST_BYTES_PER_SECOND) return bytesPerSecond;
  return fail('CONFIG_INVALID', `expected ${bandwidthExpected}, got '${text}'`);
}
