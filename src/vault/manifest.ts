// Manifests: the object that makes a snapshot exist (docs/vault-format.md, section 7).

import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { ComponentId } from '../domain/component.ts';
import { isMoment, type Moment } from '../domain/moment.ts';
import { snapshotKinds } from '../domain/states.ts';
import { fail } from '../errors/index.ts';
import type { Store } from '../stores/store.ts';
import { getHeader, sealContext, type VaultCore } from './core.ts';
import { manifestKey, parseGeneration, parseManifestKey } from './layout.ts';
import { objectTypes, type SealContext, seal, unseal } from './sealed.ts';
import type { Snapshot, SnapshotId } from './types.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const moment = z.custom<Moment>((value) => typeof value === 'string' && isMoment(value));
const count = z.number().int().nonnegative();

const headerSchema = z.object({
  id: z.string(),
  component: z.string(),
  kind: z.enum(snapshotKinds),
  class: z.string(),
  generation: z.string(),
  sequence: z.number().int().positive(),
  previous: hash.nullable(),
  from: moment,
  to: moment,
  state: z.enum(['clean', 'damaged']),
  host: z.string(),
  statistics: z.object({
    files: count,
    readBytes: count,
    newBytes: count,
    storedBytes: count,
    chunks: count,
    newChunks: count,
  }),
  engine: z.record(z.string(), z.unknown()),
});
const partSchema = z.object({
  generation: z.string(),
  packs: z.array(z.tuple([hash, count])),
  indexes: z.array(z.string()),
});
const bodySchema = z.object({
  parts: z.array(partSchema).min(1),
  tree: z.array(hash),
  treeBytes: count,
  treeSha256: hash,
});

export interface ManifestHeader extends Snapshot {
  /** SHA-256 of the manifest with the next lower sequence that the writer saw; `null` for the first. */
  readonly previous: string | null;
}

/** What a snapshot needs of one generation. */
export interface ManifestPart {
  readonly generation: string;
  /** Name and size of every pack. */
  readonly packs: readonly (readonly [sha256: string, sizeBytes: number])[];
  /** Keys of the index objects that cover those packs. */
  readonly indexes: readonly string[];
}

export interface ManifestBody {
  /** Of the snapshot's own generation first, then of generations of longer-lived classes. */
  readonly parts: readonly ManifestPart[];
  /** Chunk ids of the tree, in order. */
  readonly tree: readonly string[];
  readonly treeBytes: number;
  readonly treeSha256: string;
}

export interface Manifest {
  readonly key: string;
  readonly bytes: Buffer;
  readonly header: ManifestHeader;
  readonly body: ManifestBody;
}

export async function sealManifest(core: VaultCore, header: ManifestHeader, body: ManifestBody): Promise<Manifest> {
  const key = manifestKey(header.component, header.sequence, header.id);
  checkHeader(key, JSON.parse(JSON.stringify(header))); // what no reader would take is not written either
  const bytes = await seal(contextOf(core, key), header, Buffer.from(JSON.stringify(body)));
  return { key, bytes, header, body };
}

/** Throws `OBJECT_DAMAGED`. */
export async function openManifest(core: VaultCore, key: string, bytes: Buffer): Promise<Manifest> {
  const opened = await unseal(contextOf(core, key), bytes);
  const header = checkHeader(key, opened.header);
  return { key, bytes, header, body: parseBody(key, header, opened.body) };
}

/** Every generation that the snapshot needs, its own first. */
export function generationsOf({ body }: Pick<Manifest, 'body'>): string[] {
  return body.parts.map((part) => part.generation);
}

export async function readManifestHeader(
  core: VaultCore,
  store: Store,
  key: string,
  sizeBytes: number,
): Promise<ManifestHeader> {
  return checkHeader(key, await getHeader(store, contextOf(core, key), sizeBytes));
}

export function sha256Of(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function contextOf(core: VaultCore, key: string): SealContext {
  return sealContext(core, objectTypes.manifest, key);
}

/** Meaning, not only shape: its own name, component and order of times. */
function checkHeader(key: string, data: unknown): ManifestHeader {
  const parsed = headerSchema.safeParse(data);
  if (!parsed.success)
    fail('OBJECT_DAMAGED', `manifest '${key}' does not say what a manifest says`, { cause: parsed.error });
  const header = parsed.data;
  const name = parseManifestKey(key);
  if (name?.id !== header.id || name.sequence !== header.sequence || name.component !== header.component) {
    fail('OBJECT_DAMAGED', `manifest '${key}' is that of another snapshot`);
  }
  if (header.to < header.from) fail('OBJECT_DAMAGED', `manifest '${key}' ends before it starts`);
  if ((header.sequence === 1) !== (header.previous === null)) {
    fail('OBJECT_DAMAGED', `manifest '${key}' has no predecessor that fits its number`);
  }
  return { ...header, id: header.id as SnapshotId, component: header.component as ComponentId };
}

function parseBody(key: string, header: ManifestHeader, bytes: Buffer): ManifestBody {
  let body: ManifestBody;
  try {
    body = bodySchema.parse(JSON.parse(bytes.toString()));
  } catch (cause) {
    return fail('OBJECT_DAMAGED', `manifest '${key}' does not name its packs`, { cause });
  }
  const names = body.parts.map((part) => part.generation);
  if (names[0] !== header.generation || new Set(names).size !== names.length || !names.every(parseGeneration)) {
    fail('OBJECT_DAMAGED', `manifest '${key}' names generations that cannot be its own`);
  }
  return body;
}
