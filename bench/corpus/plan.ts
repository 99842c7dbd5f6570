// Which files the corpus has: names, sizes and kinds from a seed, before a byte of them is made.

import type { ContentKind } from './content.ts';
import { Random } from './random.ts';
import { vocabulary } from './vocabulary.ts';

export interface CorpusFile {
  /** Relative, `/`-separated. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly kind: ContentKind;
  /** Two files with the same seed, kind and size have the same bytes. */
  readonly contentSeed: string;
  readonly mode: number;
  readonly mtimeSeconds: number;
}

export interface CorpusPlan {
  readonly seed: string;
  readonly scale: number;
  readonly files: readonly CorpusFile[];
  readonly sizeBytes: number;
  /** Goes in front of the big file when the corpus is changed. */
  readonly insertedBytes: number;
}

/** Scale 1. Sizes are log-normal around some kilobytes with a long tail, plus one big file. */
const FILES = 40_000;
const SIZE_BYTES = 2_000_000_000;
const BIG_FILE_BYTES = 100_000_000;
const INSERTED_BYTES = 1_000_000;
const SPREAD = 1.9;
const SMALLEST_BYTES = 16;
const LARGEST_BYTES = 48_000_000;
const DUPLICATES = 0.04;
const LARGE_FROM_BYTES = 256_000;

/** Shares among small and among large files; with them zstd -3 makes 1.7:1 of the whole. */
const shares: Readonly<Record<'small' | 'large', Readonly<Record<ContentKind, number>>>> = {
  small: { source: 38, json: 14, csv: 10, log: 7, pages: 6, packed: 25 },
  large: { source: 2, json: 9, csv: 9, log: 9, pages: 8, packed: 63 },
};
const extensions: Readonly<Record<ContentKind, readonly string[]>> = {
  source: ['ts', 'c', 'py', 'go', 'md'],
  json: ['json', 'jsonl'],
  csv: ['csv'],
  log: ['log'],
  pages: ['db', 'idx', 'bin'],
  packed: ['jpg', 'png', 'gz', 'mp4', 'zip'],
};
const firstMtime = Date.UTC(2025, 0, 1) / 1000;
const yearSeconds = 31_536_000;

export function planCorpus(seed: string, scale = 1): CorpusPlan {
  const random = new Random(`${seed}|plan`);
  const bigFiles = Math.max(1, Math.round(scale));
  const bigBytes = Math.round(BIG_FILE_BYTES * Math.min(1, scale));
  const count = Math.max(1, Math.round(FILES * scale) - bigFiles);
  const sizes = sizesOf(random, count, Math.round(SIZE_BYTES * scale) - bigFiles * bigBytes);
  const files: CorpusFile[] = [];
  for (let number = 0; number < bigFiles; number++) {
    files.push(fileOf(random, 'csv', `big-${number}`, bigBytes, `exports/export-${number}.csv`));
  }
  for (const [number, sizeBytes] of sizes.entries()) files.push(nextFile(random, number, sizeBytes, files));
  return {
    seed,
    scale,
    files: files.map((file) => ({ ...file, contentSeed: `${seed}|${file.contentSeed}` })),
    sizeBytes: files.reduce((sum, file) => sum + file.sizeBytes, 0),
    insertedBytes: Math.round(INSERTED_BYTES * Math.min(1, scale)),
  };
}

/** Log-normal, brought to the wanted sum. */
function sizesOf(random: Random, count: number, sumBytes: number): number[] {
  const drawn = Array.from({ length: count }, () => Math.exp(random.normal() * SPREAD));
  const factor = sumBytes / drawn.reduce((sum, size) => sum + size, 0);
  return drawn.map((size) => Math.min(LARGEST_BYTES, Math.max(SMALLEST_BYTES, Math.round(size * factor))));
}

function nextFile(random: Random, number: number, sizeBytes: number, before: readonly CorpusFile[]): CorpusFile {
  const original = random.next() < DUPLICATES ? before[1 + random.below(before.length - 1)] : undefined;
  if (original)
    return { ...original, path: `copies/${folder(random)}/${number}-${original.path.replaceAll('/', '-')}` };
  const kind = weighted(random, sizeBytes >= LARGE_FROM_BYTES ? shares.large : shares.small);
  const name = `${random.pick(vocabulary)}-${number}.${random.pick(extensions[kind])}`;
  return fileOf(random, kind, `${number}`, sizeBytes, `${kind}/${folder(random)}/${name}`);
}

function fileOf(random: Random, kind: ContentKind, contentSeed: string, sizeBytes: number, path: string): CorpusFile {
  const mode = random.pick([0o644, 0o644, 0o644, 0o600, 0o755]);
  return { path, sizeBytes, kind, contentSeed, mode, mtimeSeconds: firstMtime + random.below(yearSeconds) };
}

/** About 2,000 directories at scale 1, three deep. */
function folder(random: Random): string {
  const of = (count: number) => vocabulary[1000 + random.below(count)] as string;
  return `${of(8)}/${of(6)}/${of(8)}`;
}

function weighted(random: Random, weights: Readonly<Record<ContentKind, number>>): ContentKind {
  const kinds = Object.entries(weights) as [ContentKind, number][];
  let left = random.next() * kinds.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [kind, weight] of kinds) {
    left -= weight;
    if (left < 0) return kind;
  }
  return 'packed';
}
