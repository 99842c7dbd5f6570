// What a restored file is besides its bytes: owner, attributes, mode and time, given to it before it has its name.

import { fchmodSync, fchownSync, fsyncSync, futimesSync, type Stats } from 'node:fs';
import { setAttributes, setTimes } from '../../system/index.ts';
import type { TargetFile } from './jobs.ts';
import type { TargetTree } from './target-tree.ts';

/** Whether mode, owner and time are right already. Attributes are not looked at: a file with some is settled again. */
export function isSettled(stat: Stats, { mode, mtimeSeconds, mtimeNanos, owner, xattrs }: TargetFile): boolean {
  const isOwned = owner === undefined || (stat.uid === owner.uid && stat.gid === owner.gid);
  const isTimed = mtimeNanos === undefined && Math.abs(stat.mtimeMs / 1000 - mtimeSeconds) < 0.001;
  return isOwned && isTimed && xattrs === undefined && (stat.mode & 0o7777) === mode;
}

/**
 * Where attributes are wanted, the file is as it was as far as this host lets it be, and what it does not is told; elsewhere the owner is a demand.
 * The owner comes first: changing it takes set-user-id bits and capabilities away; the mode behind a list of access control, whose mask it is.
 */
export function settle(tree: TargetTree, handle: number, file: TargetFile): void {
  const { path, mode, owner, xattrs, isSynced } = file;
  const own = () => owner !== undefined && fchownSync(handle, owner.uid, owner.gid);
  if (xattrs === undefined) own();
  else {
    tree.attempt(path, 'owner', own);
    setAttributes(handle, xattrs, (name, act) => tree.attempt(path, name, act));
  }
  fchmodSync(handle, mode);
  settleTime(handle, file);
  if (isSynced) fsyncSync(handle);
}

function settleTime(handle: number, { mtimeSeconds, mtimeNanos }: TargetFile): void {
  if (mtimeNanos === undefined) {
    // As text: Node takes a number below zero for the present.
    futimesSync(handle, String(mtimeSeconds), String(mtimeSeconds));
    return;
  }
  const mtimeNs = BigInt(mtimeSeconds) * 1_000_000_000n + BigInt(mtimeNanos);
  setTimes(handle, { atimeNs: mtimeNs, mtimeNs });
}
