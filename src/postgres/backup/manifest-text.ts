// `backup_manifest` as the server writes it: a line a file, and its own checksum at the end (PostgreSQL manual, "Backup Manifest Format").

import { createHash } from 'node:crypto';

export interface ManifestContent {
  /** 1, or 2 from PostgreSQL 17 on. */
  readonly version: number;
  /** Of version 2. */
  readonly systemId: string | undefined;
  /** Fields in the order of the format. */
  readonly files: Iterable<Readonly<Record<string, unknown>>>;
  readonly walRanges: Iterable<Readonly<Record<string, unknown>>>;
}

export function manifestText({ version, systemId, files, walRanges }: ManifestContent): Buffer {
  const lines = [
    `{ "PostgreSQL-Backup-Manifest-Version": ${version},`,
    ...(systemId === undefined ? [] : [`"System-Identifier": ${systemId},`]),
    `"Files": [\n${list(files)}\n],`,
    `"WAL-Ranges": [\n${list(walRanges)}\n],`,
  ];
  const body = Buffer.from(`${lines.join('\n')}\n`);
  const checksum = createHash('sha256').update(body).digest('hex');
  return Buffer.concat([body, Buffer.from(`"Manifest-Checksum": "${checksum}"}\n`)]);
}

function list(records: Iterable<Readonly<Record<string, unknown>>>): string {
  return Array.from(records, (record) => {
    const fields = Object.entries(record).map(([key, value]) => `"${key}": ${JSON.stringify(value)}`);
    return `{ ${fields.join(', ')} }`;
  }).join(',\n');
}
