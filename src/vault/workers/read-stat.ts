// What the file system says of a file after it was read.

import type { BigIntStats } from 'node:fs';

export function readStat({ mtimeNs, ctimeNs, ino, mode, uid, gid }: BigIntStats) {
  return { mtimeNs, ctimeNs, inode: ino, mode: Number(mode) & 0o7777, uid: Number(uid), gid: Number(gid) };
}
