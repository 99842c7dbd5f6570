// What a file system does not keep although it takes it (a time that is out of its range, a bit, an attribute that it writes its own way): known by giving it once more, because somebody else may have changed it just as well.

import { fstatSync } from 'node:fs';
import { lookAt, pathIn } from '../../system/index.ts';
import { attributesOf, mtimeOf } from '../capture/entry-of.ts';
import { type Aspect, type Comparable, differingAspects } from '../compare/differences.ts';
import type { Found } from '../scan/found.ts';
import type { Metadata } from './change.ts';
import { settleEntry } from './settle.ts';
import type { Ways } from './ways.ts';

/** In place of the system's code, which there is none of. */
export const NOT_KEPT = 'not kept';

const MAY_NOT_BE_KEPT: ReadonlySet<Aspect> = new Set(['owner', 'mode', 'time', 'attributes']);

type Look = NonNullable<ReturnType<typeof lookAt>>;

/** Whether nothing but what some file systems do not keep is other than it should be. */
export function mayBeNotKept(aspects: readonly Aspect[]): boolean {
  return aspects.length > 0 && aspects.every((aspect) => MAY_NOT_BE_KEPT.has(aspect));
}

/** `same`: it is as it was found, whatever it was given. `other`: by now it is not, so that it was changed before; or it is another entry. `refused`: the system said no to some of it. */
export function givenAgain(ways: Ways, below: string, found: Found, wanted: Metadata): 'same' | 'other' | 'refused' {
  const name = ways.find(below);
  const look = name && lookAt(name);
  if (!name || look?.ino !== found.inode) return 'other';
  const place = pathIn(name);
  const before = JSON.stringify(shownAs(place, look));
  let isRefused = false;
  const onLacking = () => {
    isRefused = true;
  };
  settleEntry(name, look, { wanted, keepsTime: false, onLacking });
  const now = lookAt(name);
  if (now?.ino !== found.inode || JSON.stringify(shownAs(place, now)) !== before) return 'other';
  return isRefused ? 'refused' : 'same';
}

/** In what an entry that was just given what it is to be shows something else, less the time where it was to keep its own. */
export function notKept(
  place: string | Buffer,
  look: Pick<Look, 'mode' | 'uid' | 'gid' | 'mtimeNs'> & { isSymbolicLink(): boolean },
  wanted: Metadata,
  { keepsTime, grainNs }: { readonly keepsTime: boolean; readonly grainNs: bigint },
): readonly Aspect[] {
  const isLink = look.isSymbolicLink();
  const shown = asComparable(shownAs(place, look), isLink);
  const isKept = keepsTime || isRounded(BigInt(wanted.mtimeNs), look.mtimeNs, grainNs);
  return differingAspects(asComparable(wanted, isLink), shown).filter((aspect) => aspect !== 'time' || !isKept);
}

/** The same of a directory that is open. */
export function notKeptOn(handle: number, wanted: Metadata, grainNs: bigint): readonly Aspect[] {
  return notKept(`/proc/self/fd/${handle}/.`, fstatSync(handle, { bigint: true }), wanted, {
    keepsTime: false,
    grainNs,
  });
}

/** Whether a time is what a file system makes of another one that keeps times in steps of so many nanoseconds. */
export function isRounded(wantedNs: bigint, foundNs: bigint, grainNs: bigint): boolean {
  return wantedNs - (((wantedNs % grainNs) + grainNs) % grainNs) === foundNs;
}

function shownAs(place: string | Buffer, look: Pick<Look, 'mode' | 'uid' | 'gid' | 'mtimeNs'>): Metadata {
  const [mode, uid, gid] = [Number(look.mode & 0o7777n), Number(look.uid), Number(look.gid)];
  return { mode, uid, gid, mtimeNs: `${look.mtimeNs}`, xattrs: attributesOf(place) ?? {} };
}

/** Nothing but the metadata counts. */
function asComparable({ mode, uid, gid, mtimeNs, xattrs }: Metadata, isLink: boolean): Comparable {
  const type = isLink ? 'symlink' : 'directory';
  return { path: '', type, sizeBytes: 0, mode, uid, gid, ...mtimeOf(BigInt(mtimeNs)), xattrs };
}
