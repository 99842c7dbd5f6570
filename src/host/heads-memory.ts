// What this host has seen each copy hold, kept outside the vault: the one witness when every copy is put back together.

import { mkdir, open, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { ComponentId } from '../domain/component.ts';
import type { RememberedHead } from '../domain/heads.ts';
import { fail } from '../errors/index.ts';

const hash = z.string().regex(/^[0-9a-f]{64}$/);
const headSchema = z.object({ sequence: z.int().positive(), id: z.string().min(1), sha256: hash });
const putBackSchema = z.object({
  copy: z.string(),
  component: z.string(),
  lost: headSchema,
  shown: headSchema.optional(),
  noticedAt: z.string(),
  state: z.enum(['open', 'repaired']),
});
const rememberedSchema = z.object({
  head: headSchema,
  recent: z.array(z.string()),
  putBack: putBackSchema.optional(),
});
const fileSchema = z.object({
  format: z.literal(1),
  since: z.string(),
  copies: z.record(z.string(), z.object({ location: z.string(), components: z.record(z.string(), rememberedSchema) })),
});

export interface CopyMemory {
  /** A copy that moved to another store is another copy: what was seen at the old place says nothing of it. */
  readonly location: string;
  readonly components: Readonly<Record<ComponentId, RememberedHead>>;
}

export interface HeadsMemory {
  /** When this host began to remember: ISO 8601, UTC. */
  readonly since: string;
  readonly copies: Readonly<Record<string, CopyMemory>>;
}

/** One file for each vault, so that a vault that is made anew does not look like one that was put back. */
export function memoryPath(stateDirectory: string, vaultId: string): string {
  return path.join(stateDirectory, 'heads', `${vaultId}.json`);
}

/** `undefined` when nothing was ever kept. Throws `TARGET_UNFIT` for a file that says something else: what it knew is not known. */
export async function readMemory(file: string): Promise<HeadsMemory | undefined> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    return fail('TARGET_UNFIT', `what this host remembers of the copies cannot be read: '${file}'`, {
      cause: error,
      hint: 'run this as the user of the worker, whose state directory it is in',
    });
  }
  try {
    return fileSchema.parse(JSON.parse(text)) as HeadsMemory;
  } catch (cause) {
    return fail('TARGET_UNFIT', `'${file}' does not say what this host remembers of the copies`, {
      cause,
      hint: 'compare the copies yourself, then move the file away: this host begins to remember anew',
    });
  }
}

/** Whole and on the disk, or as it was before. Throws `TARGET_UNFIT`. */
export async function writeMemory(file: string, memory: HeadsMemory): Promise<void> {
  const partial = `${file}.${process.pid}.part`;
  try {
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    const handle = await open(partial, 'w', 0o600);
    try {
      await handle.writeFile(`${JSON.stringify({ format: 1, ...memory })}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(partial, file);
    const directory = await open(path.dirname(file), 'r');
    await directory.sync().finally(() => directory.close());
  } catch (cause) {
    fail('TARGET_UNFIT', `what the copies show cannot be remembered in '${file}'`, {
      cause,
      hint: 'run this as the user of the worker, and make room in its state directory',
    });
  }
}
