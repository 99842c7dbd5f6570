// What a restore needs on each file system, and what is free there.

import { stat, statfs } from 'node:fs/promises';
import path from 'node:path';
import type { SpaceSummary } from '../../domain/plan-summary.ts';
import { bytesText } from '../../domain/size.ts';
import { HoldfastError } from '../../errors/index.ts';
import type { LinkedPlace, PhysicalDetails, Place } from '../types.ts';
import { staysInPlace } from './own-place.ts';

/** Segments that may wait in the spool, on top of base and log. */
const spoolSegments = 16;

interface SpaceRequest {
  readonly dataDirectory: string;
  readonly linked: readonly LinkedPlace[];
  readonly details: Pick<PhysicalDetails, 'sizeBytes' | 'segmentSizeBytes' | 'tablespaces'>;
  readonly logBytes: number;
}

/** Places on the same file system count together. */
export async function findSpace({ dataDirectory, linked, details, logBytes }: SpaceRequest): Promise<SpaceSummary> {
  const home = homeOf(dataDirectory);
  const parts = linked.map(({ link, directory }) => ({ directory, bytes: bytesOf(link, details, logBytes) }));
  const apart = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const own = details.sizeBytes + logBytes + spoolSegments * details.segmentSizeBytes;
  const needed = new Map<number, { directory: string; neededBytes: number }>();
  for (const { directory, bytes } of [{ directory: home, bytes: Math.max(own - apart, 0) }, ...parts]) {
    const { dev } = await stat(directory);
    const before = needed.get(dev) ?? { directory, neededBytes: 0 };
    needed.set(dev, { directory: before.directory, neededBytes: before.neededBytes + bytes });
  }
  const [first, ...elsewhere] = await Promise.all(
    [...needed.values()].map(async (one) => ({ ...one, availableBytes: await availableBytes(one.directory) })),
  );
  const { neededBytes = 0, availableBytes: free = 0 } = first ?? {};
  return { neededBytes, availableBytes: free, ...(elsewhere.length > 0 ? { elsewhere } : {}) };
}

/** What the work directory lies in. */
const homeOf = (dataDirectory: string) => (staysInPlace(dataDirectory) ? dataDirectory : path.dirname(dataDirectory));

function bytesOf(link: string, { tablespaces }: SpaceRequest['details'], logBytes: number): number {
  if (link === 'pg_wal') return logBytes;
  return tablespaces.find(({ oid }) => link === `pg_tblspc/${oid}`)?.sizeBytes ?? 0;
}

async function availableBytes(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize;
}

/** One for each file system that is too small. */
export function noSpace({ mode, dataDirectory }: Place, space: SpaceSummary): readonly HoldfastError[] {
  const home = { directory: homeOf(dataDirectory), ...space };
  const elsewhere =
    mode === 'in place' ? 'restore into another file system with `--beside DIR`' : 'choose a directory on another one';
  return [home, ...(space.elsewhere ?? [])]
    .filter(({ neededBytes, availableBytes: free }) => neededBytes > free)
    .map(({ directory, neededBytes, availableBytes: free }) => {
      const words = `${bytesText(neededBytes)}, and ${bytesText(free)} are free in '${directory}'`;
      return new HoldfastError('NO_SPACE', `the restore of '${dataDirectory}' needs ${words}`, {
        hint: `make room for ${bytesText(neededBytes - free)} more there, or ${elsewhere}; nothing was touched`,
        details: { neededBytes, availableBytes: free },
      });
    });
}
