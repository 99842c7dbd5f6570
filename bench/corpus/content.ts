// The bytes of one file: what real trees hold, each kind with its own compressibility, never a block twice.

import { pages } from './content/pages.ts';
import { csv, json, log } from './content/records.ts';
import { source } from './content/source.ts';
import { Random } from './random.ts';

export const contentKinds = ['source', 'json', 'csv', 'log', 'pages', 'packed'] as const;
export type ContentKind = (typeof contentKinds)[number];

const texts: Readonly<Partial<Record<ContentKind, (random: Random) => () => string>>> = { source, json, csv, log };

/** Exactly `sizeBytes` bytes, which `kind` and `seed` determine. */
export function content(kind: ContentKind, seed: string, sizeBytes: number): Buffer {
  const random = new Random(`${kind}|${seed}`);
  // Images, films, archives: already compressed.
  if (kind === 'packed') return random.bytes(sizeBytes);
  if (kind === 'pages') return pages(random, sizeBytes);
  const nextLine = (texts[kind] as (random: Random) => () => string)(random);
  const bytes = Buffer.allocUnsafe(sizeBytes);
  for (let at = 0; at < sizeBytes; ) at += bytes.write(nextLine(), at, 'latin1');
  return bytes;
}
