// A relation's file as an incremental backup sends it: which blocks it has, how long the file is at least, and then those blocks (read off real files of PostgreSQL 17 and 18).

import { fail } from '../../errors/index.ts';
import { ExactReader } from './exact-reader.ts';
import { RELATION_SEGMENT_BYTES } from './relation-file.ts';

const MAGIC = 0xd3ae1f0d;
const HEADER_BYTES = 12;
const NUMBER_BYTES = 4;

/** Before the name of a file of which only changed blocks come. */
const PREFIX = 'INCREMENTAL.';

export interface IncrementalFile {
  /** Block numbers within the file, ascending. */
  readonly blocks: Uint32Array;
  /** Blocks below this that are not sent come from the parent. */
  readonly truncationBlocks: number;
  /** Length of the file that results. */
  readonly sizeBytes: number;
  /** The blocks, in the order of their numbers; to be read to the end. */
  readonly pages: () => AsyncGenerator<Buffer>;
}

/** The path of the whole file; `undefined` for a file that came whole. */
export function wholePath(path: string): string | undefined {
  const at = path.lastIndexOf('/') + 1;
  return path.startsWith(PREFIX, at) ? path.slice(0, at) + path.slice(at + PREFIX.length) : undefined;
}

/** Reads the head of the file; the pages follow. Throws `BACKUP_INVALID` when it is not what it should be. */
export async function readIncrementalFile(
  path: string,
  sentBytes: number,
  body: AsyncIterable<Buffer>,
  pageSizeBytes: number,
): Promise<IncrementalFile> {
  const invalid = (why: string) => fail('BACKUP_INVALID', `'${path}' is no list of changed blocks: ${why}`);
  const reader = new ExactReader(body, () => invalid('it ends too early'));
  const head = await reader.take(HEADER_BYTES);
  const [magic, count, truncationBlocks] = [head.readUInt32LE(0), head.readUInt32LE(4), head.readUInt32LE(8)];
  const blocksPerFile = RELATION_SEGMENT_BYTES / pageSizeBytes;
  if (magic !== MAGIC) invalid('it begins with something else');
  if (count > blocksPerFile || truncationBlocks > blocksPerFile) invalid('it speaks of more blocks than a file has');
  const listBytes = HEADER_BYTES + count * NUMBER_BYTES;
  const headBytes = count === 0 ? listBytes : Math.ceil(listBytes / pageSizeBytes) * pageSizeBytes;
  if (sentBytes !== headBytes + count * pageSizeBytes) invalid(`${count} blocks do not make ${sentBytes} bytes`);
  const blocks = readNumbers(await reader.take(count * NUMBER_BYTES), count);
  if (!ascending(blocks, blocksPerFile)) invalid('its block numbers are out of order');
  await reader.take(headBytes - listBytes);
  return {
    blocks,
    truncationBlocks,
    sizeBytes: Math.max(truncationBlocks, count === 0 ? 0 : (blocks[count - 1] as number) + 1) * pageSizeBytes,
    async *pages() {
      for (let index = 0; index < count; index++) yield await reader.take(pageSizeBytes);
      await reader.end();
    },
  };
}

function readNumbers(list: Buffer, count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, index) => list.readUInt32LE(index * NUMBER_BYTES));
}

function ascending(blocks: Uint32Array, limit: number): boolean {
  return blocks.every((block, index) => block < limit && (index === 0 || block > (blocks[index - 1] as number)));
}
