// Puts what is not a file of the host into the tree of a snapshot: outputs of commands, and what the next run goes on with.

import type { SnapshotWriter } from '../vault/index.ts';
import type { RanCommand } from './commands.ts';
import { COMMANDS, MARKER_KEY, OWN, outputPath } from './own-entries.ts';

export function ownEntry(name: string, at: Date) {
  const owner = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
  return { path: name, mode: 0o600, mtimeSeconds: Math.floor(at.getTime() / 1000), ...owner };
}

export async function addOwnFiles(
  writer: SnapshotWriter,
  ran: readonly RanCommand[],
  key: Uint8Array,
  at: Date,
): Promise<void> {
  for (const name of [OWN, COMMANDS]) await writer.addEntry({ ...ownEntry(name, at), type: 'directory', mode: 0o700 });
  for (const { spec, output, because } of ran) {
    await writer.addFile(ownEntry(outputPath(spec.name, because === undefined), at), once(output));
  }
  await writer.addFile(ownEntry(MARKER_KEY, at), once(key));
}

export async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  if (bytes.length > 0) yield bytes;
}
