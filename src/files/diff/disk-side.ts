// The disk as one side of a diff: a scan by the rules of now, in the form of entries; content is read only where nothing else tells.

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pathOfText } from '../../domain/path-text.ts';
import { isThere } from '../../system/index.ts';
import { Coverage } from '../compare/coverage.ts';
import type { Comparable } from '../compare/differences.ts';
import { comparableOf } from '../in-place/change.ts';
import { otherReading } from '../restore/meant-paths.ts';
import { isWithin, treePath } from '../restore/select.ts';
import type { Found } from '../scan/found.ts';
import { scan } from '../scan/scan.ts';
import { Telling } from '../told.ts';
import type { FilesSource } from '../types.ts';
import { comesBefore } from '../walk-order.ts';

export interface DiskEntry extends Comparable {
  /** First name of the same file, where this is another one. */
  readonly sameAs?: string;
}

export class DiskSide {
  readonly #source: FilesSource;
  readonly #unseen = new Telling<string>();
  readonly #names = new Map<string, string>();

  constructor(source: FilesSource) {
    this.#source = source;
  }

  /** Throws `FILES_ROOT`. */
  async *entries(takes: (path: string) => boolean): AsyncGenerator<DiskEntry> {
    const roots = [...this.#source.roots].sort((a, b) => (comesBefore(a.slice(1), b.slice(1)) ? -1 : 1));
    for await (const { found, unseen, leftOut } of scan({ roots, rules: this.#source.rules })) {
      for (const { path } of unseen) this.#unseen.add(path);
      // A mount, a socket, a large file: nothing is known of it here.
      for (const { path, why } of leftOut) if (why !== 'socket') this.#unseen.add(path);
      for (const each of found) {
        const sameAs = this.#otherName(each);
        if (!takes(each.path)) continue;
        const entry = this.#describe(each);
        if (entry) yield { ...entry, ...(sameAs !== undefined && { sameAs }) };
      }
    }
  }

  /** What is known when all entries were taken. */
  get coverage(): Coverage {
    return new Coverage({ ...this.#source, unseen: this.#unseen.told });
  }

  #otherName({ path, type, links, device, inode }: Found): string | undefined {
    if (type === 'directory' || links < 2n) return undefined;
    const key = `${device}:${inode}`;
    const first = this.#names.get(key);
    if (first === undefined) this.#names.set(key, path);
    return first;
  }

  #describe(found: Found): Comparable | undefined {
    try {
      return comparableOf(found, placeOf(found.path));
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      // Gone since the scan saw it: it is not there.
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
      if (code === undefined) throw error;
      this.#unseen.add(found.path);
      return undefined;
    }
  }
}

/** As a tree has them. What shares no way with a root is never looked at, whatever is there. */
export async function* thereOnDisk(
  paths: readonly string[],
  roots: readonly string[],
): AsyncGenerator<{ readonly path: string }> {
  for (const path of paths.flatMap((each) => [each, otherReading(each) ?? []].flat()))
    if (isOnWayOf(path, roots) && (await isThere(pathOfText(path)))) yield { path: treePath(path) };
}

/** In a root, or above one. */
export function isOnWayOf(path: string, roots: readonly string[]): boolean {
  const wanted = treePath(path);
  return roots.map((root) => treePath(root)).some((root) => isWithin(wanted, root) || isWithin(root, wanted));
}

/** Lower-case hexadecimal SHA-256; undefined for a file that cannot be read. */
export async function hashOnDisk(path: string, signal: AbortSignal): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const bytes of createReadStream(placeOf(path), { signal }) as AsyncIterable<Buffer>) hash.update(bytes);
    return hash.digest('hex');
  } catch (error) {
    if (signal.aborted || (error as NodeJS.ErrnoException).code === undefined) throw error;
    return undefined;
  }
}

export function takerOfPaths(paths: readonly string[] | undefined): (path: string) => boolean {
  if (paths === undefined || paths.length === 0) return () => true;
  const tops = paths.map((path) => path.replace(/^\/+|\/+$/g, ''));
  return (path) => tops.some((top) => isWithin(path, top));
}

function placeOf(path: string): string | Buffer {
  return pathOfText(`/${path}`);
}
