// Snapshots whose files are laid over those of an earlier one, and the model of what they are.

import assert from 'node:assert/strict';
import type {
  LaidFile,
  LaidPart,
  SnapshotId,
  SnapshotOnCopies,
  SnapshotRequest,
  TreeEntry,
  Vault,
} from '../../src/vault/index.ts';
import { type Files, inPieces, request, seededBytes, TO } from './vault.ts';

export const PAGE = 8192;
/** Of captures that are kept shorter than what they were laid over. */
export const incremental = { class: 'incremental', longerLived: ['full'] };

export type Overlays = Readonly<Record<string, readonly LaidPart[]>>;

export async function entriesOf(vault: Vault, id: SnapshotId): Promise<Map<string, TreeEntry>> {
  const reader = await vault.openSnapshot(id);
  const found = new Map<string, TreeEntry>();
  for await (const entry of reader.entries()) found.set(entry.path, entry);
  reader.close();
  return found;
}

/** Every file cut in pages. */
export async function takeWhole(
  vault: Vault,
  number: number,
  files: Files,
  changes: Partial<SnapshotRequest> = {},
  to = TO,
): Promise<SnapshotOnCopies> {
  const writer = await vault.writeSnapshot(request(number, changes));
  for (const [name, bytes] of Object.entries(files)) {
    await writer.addFile({ path: name, mode: 0o600, mtimeSeconds: number, chunking: 'pages' }, inPieces(bytes));
  }
  return writer.commit({ to, state: 'clean', engine: {} });
}

export interface Laid {
  readonly snapshot: SnapshotOnCopies;
  readonly stored: readonly LaidFile[];
}

/** Lays every file over that of `parent`. */
export async function takeLaid(
  vault: Vault,
  number: number,
  parent: SnapshotId,
  overlays: Overlays,
  changes: Partial<SnapshotRequest> = incremental,
  to = TO,
): Promise<Laid> {
  const entries = await entriesOf(vault, parent);
  const writer = await vault.writeSnapshot(request(number, changes));
  const stored: LaidFile[] = [];
  for (const [name, parts] of Object.entries(overlays)) {
    const below = entries.get(name);
    assert.ok(below, name);
    const entry = { path: name, mode: 0o600, mtimeSeconds: number };
    const file = await writer.addLaidOver(entry, below, parts, lengthOf(parts));
    assert.ok(file, `${name} cannot be laid over ${parent}`);
    stored.push(file);
  }
  return { snapshot: await writer.commit({ to, state: 'clean', engine: {} }), stored };
}

export function lengthOf(parts: readonly LaidPart[]): number {
  return parts.reduce((sum, part) => sum + ('bytes' in part ? part.bytes.length : part.lengthBytes), 0);
}

/** What `overlays` make of the parent's files. */
export function laidOver(parent: Files, overlays: Overlays): Record<string, Buffer> {
  const bytesOf = (below: Buffer, part: LaidPart) =>
    'bytes' in part ? part.bytes : below.subarray(part.positionBytes, part.positionBytes + part.lengthBytes);
  return Object.fromEntries(
    Object.entries(overlays).map(([name, parts]) => [
      name,
      Buffer.concat(parts.map((part) => bytesOf(parent[name] as Buffer, part))),
    ]),
  );
}

/** Every `every`th page is new from page `first` on, the others are kept. */
export function somePages(parent: Buffer, word: string, every: number, first = 0): LaidPart[] {
  const parts: LaidPart[] = [];
  for (let page = 0; page * PAGE < parent.length; page++) {
    const lengthBytes = Math.min(PAGE, parent.length - page * PAGE);
    const isNew = page % every === first;
    parts.push(
      isNew ? { bytes: seededBytes(`${word} ${page}`, lengthBytes) } : { positionBytes: page * PAGE, lengthBytes },
    );
  }
  return parts;
}
