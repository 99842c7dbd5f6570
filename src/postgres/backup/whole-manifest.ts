// The manifest of a snapshot that was laid over its parent: the server's own of the incremental backup, with each file as the snapshot has it, as `pg_combinebackup` writes it.

import { manifestText } from './manifest-text.ts';
import type { WholeFile } from './overlay.ts';

interface ListedFile extends Record<string, unknown> {
  readonly Path?: string;
  readonly 'Encoded-Path'?: string;
}

/** `files`: those that are not as they were sent, by the path they were sent under. A file without a SHA-256 is listed without a checksum, which the format allows. */
export function wholeManifest(sent: Buffer, files: ReadonlyMap<string, WholeFile>): Buffer {
  const text = sent.toString('utf8');
  const { Files: listed, ...rest } = JSON.parse(text) as Record<string, unknown> & { Files: ListedFile[] };
  return manifestText({
    version: Number(rest['PostgreSQL-Backup-Manifest-Version']),
    // A 64-bit number, which JSON.parse would round.
    systemId: /"System-Identifier": (\d+)/.exec(text)?.[1],
    files: listed.map((file) => {
      const whole = files.get(file.Path ?? Buffer.from(file['Encoded-Path'] ?? '', 'hex').toString('utf8'));
      return whole === undefined ? file : described(file, whole);
    }),
    walRanges: rest['WAL-Ranges'] as Record<string, unknown>[],
  });
}

function described(file: ListedFile, { path, sizeBytes, sha256 }: WholeFile): Record<string, unknown> {
  const named = file.Path === undefined ? { 'Encoded-Path': Buffer.from(path).toString('hex') } : { Path: path };
  const checksum = sha256 === undefined ? {} : { 'Checksum-Algorithm': 'SHA256', Checksum: sha256 };
  return { ...named, Size: sizeBytes, 'Last-Modified': file['Last-Modified'], ...checksum };
}
