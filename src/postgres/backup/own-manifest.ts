// The manifest of a base backup whose files were read at hand: what the server would have written, had it sent them.

import type { Lsn } from '../../domain/lsn.ts';
import { manifestText } from './manifest-text.ts';

export interface OwnFile {
  readonly sizeBytes: number;
  readonly sha256: string;
  readonly mtimeSeconds: number;
}

export interface OwnBackup {
  readonly major: number;
  readonly systemId: string;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
}

const FIRST_OF_VERSION_2 = 17;

export function ownManifest(backup: OwnBackup, files: ReadonlyMap<string, OwnFile>): Buffer {
  const isSecond = backup.major >= FIRST_OF_VERSION_2;
  return manifestText({
    version: isSecond ? 2 : 1,
    systemId: isSecond ? backup.systemId : undefined,
    files: listed(files),
    walRanges: [{ Timeline: backup.timeline, 'Start-LSN': backup.startLsn, 'End-LSN': backup.stopLsn }],
  });
}

function* listed(files: ReadonlyMap<string, OwnFile>): Generator<Record<string, unknown>> {
  for (const [path, { sizeBytes, sha256, mtimeSeconds }] of files) {
    yield {
      Path: path,
      Size: sizeBytes,
      'Last-Modified': gmt(mtimeSeconds),
      'Checksum-Algorithm': 'SHA256',
      Checksum: sha256,
    };
  }
}

/** `2026-11-26 05:03:22 GMT`. */
function gmt(seconds: number): string {
  return `${new Date(seconds * 1000).toISOString().slice(0, 19).replace('T', ' ')} GMT`;
}
