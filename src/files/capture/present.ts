// What is on the disk now, as entries that nobody has read: to be compared with a tree.

import { realpath } from 'node:fs/promises';
import { pathOfText } from '../../domain/path-text.ts';
import type { BareEntry, TreeEntry } from '../../vault/index.ts';
import { Owners } from '../owners.ts';
import type { Unseen } from '../scan/found.ts';
import type { ScanRules } from '../scan/rules.ts';
import { scan } from '../scan/scan.ts';
import { foundOf, lstatOf } from '../scan/walk.ts';
import { Describer } from './entry-of.ts';
import { HardLinks } from './hard-links.ts';

export interface PresentOptions {
  /** Absolute, in walk order, none inside of another. */
  readonly roots: readonly string[];
  readonly rules: ScanRules;
  readonly onUnseen?: (unseen: Unseen) => void;
}

/** In walk order; files have neither hash nor chunks. Throws `FILES_ROOT`. */
export async function* presentEntries({ roots, rules, onUnseen }: PresentOptions): AsyncGenerator<TreeEntry> {
  const describer = new Describer(new Owners(), BigInt(Date.now()) * 1_000_000n);
  const links = new HardLinks();
  for await (const { found, unseen } of scan({ roots, rules })) {
    for (const each of unseen) onUnseen?.(each);
    for (const each of found) {
      const { path, mode, sizeBytes } = each;
      const leader = links.leaderOf(each);
      const place = pathOfText(`/${path}`);
      if (leader !== undefined) {
        const mtimeSeconds = Number(each.mtimeNs / 1_000_000_000n);
        yield { path, type: 'hardlink', mode, mtimeSeconds, sizeBytes: 0, linkTarget: leader };
      } else if (each.type === 'file') {
        yield { ...(await describer.bare(each, undefined, place)), type: 'file', sizeBytes };
      } else yield { ...(await describer.bare(each, undefined, place)), sizeBytes: 0 };
    }
  }
}

/** A directory by itself, without what is in it. Throws what the system says. */
export async function presentDirectory(directory: string): Promise<BareEntry> {
  const place = await realpath(directory);
  const found = foundOf(directory.slice(1), place, lstatOf(place));
  return await new Describer(new Owners(), BigInt(Date.now()) * 1_000_000n).bare(found, undefined, place);
}
