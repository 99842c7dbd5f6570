// A tree, or what is wanted of it, as the bytes of one tar archive, streamed in bounded memory: every file is verified before the next header follows.

import { fail } from '../../errors/index.ts';
import type { SnapshotReader, TreeEntry } from '../../vault/index.ts';
import { meantIn, noneOf } from '../restore/meant-paths.ts';
import { type Selection, Selector, wantedEntries } from '../restore/select.ts';
import { BLOCK_BYTES, headersOf, paddingOf, RECORD_BYTES } from './pax.ts';

export interface Archived {
  files: number;
  others: number;
  /** Content of files, holes included. */
  bytes: number;
}

export interface ArchiveOptions {
  readonly reader: Pick<SnapshotReader, 'snapshot' | 'entries' | 'read'>;
  readonly selection: Selection;
  /** Counted on the way. */
  readonly archived: Archived;
  readonly signal: AbortSignal;
}

/** Small pieces are handed on together. */
const GATHERED_BYTES = 256 * 1024;

/** Paths have no slash in front. Throws `CANCELLED`, `NOT_FOUND` when nothing is wanted, and what the vault says: what came until then is no archive. */
export async function* archive(options: ArchiveOptions): AsyncGenerator<Buffer> {
  let gathered: Buffer[] = [];
  let gatheredBytes = 0;
  for await (const piece of pieces(options)) {
    gathered.push(piece);
    gatheredBytes += piece.length;
    if (gatheredBytes < GATHERED_BYTES) continue;
    yield Buffer.concat(gathered);
    gathered = [];
    gatheredBytes = 0;
  }
  if (gatheredBytes > 0) yield Buffer.concat(gathered);
}

async function* pieces({ reader, selection: asked, archived, signal }: ArchiveOptions): AsyncGenerator<Buffer> {
  const { selection } = await meantIn(reader, asked);
  const selector = new Selector(selection);
  let total = 0;
  for await (const entry of wantedEntries(reader, (each) => selector.takes(each))) {
    requireGoing(signal);
    for await (const piece of piecesOf(reader, entry)) {
      requireGoing(signal);
      total += piece.length;
      yield piece;
    }
    if (entry.type === 'file') {
      archived.files++;
      archived.bytes += entry.sizeBytes;
    } else archived.others++;
  }
  if (total === 0) {
    noneOf(reader.snapshot, [...(selection.paths ?? []), ...(selection.patterns ?? [])]);
  }
  // Two blocks of zeros end an archive, and it fills its last record.
  const end = total + 2 * BLOCK_BYTES;
  yield Buffer.alloc(Math.ceil(end / RECORD_BYTES) * RECORD_BYTES - total);
}

async function* piecesOf(reader: ArchiveOptions['reader'], entry: TreeEntry): AsyncGenerator<Buffer> {
  yield headersOf(entry);
  if (entry.type !== 'file') return;
  yield* reader.read(entry);
  yield paddingOf(entry.sizeBytes);
}

function requireGoing(signal: AbortSignal): void {
  if (signal.aborted) fail('CANCELLED', 'the export was cancelled');
}
