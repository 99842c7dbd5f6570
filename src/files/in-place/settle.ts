// What an entry is besides its content: owner, attributes, mode and time, given through a handle of the very entry that was looked at.

import { chmodSync, closeSync, constants, fchmodSync, fchownSync, fstatSync, openSync } from 'node:fs';
import {
  changeOwner,
  type lookAt,
  type NameIn,
  openPlace,
  pathIn,
  type SystemEntry,
  setAttributes,
  setTimes,
} from '../../system/index.ts';
import type { Metadata } from './change.ts';

/** What this user or file system does not allow is told. */
export type OnLacking = (what: string, code: string) => void;

type Look = NonNullable<ReturnType<typeof lookAt>>;

interface Settled {
  readonly wanted: Metadata;
  readonly keepsTime: boolean;
  readonly onLacking: OnLacking;
}

const NOT_HERE = new Set(['EPERM', 'EACCES', 'ENOTSUP', 'EOPNOTSUPP', 'EINVAL']);
const READ = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** `look`: what the name was when it was decided about. Does nothing when it is another entry by now. */
export function settleEntry(name: NameIn, look: Look, settled: Settled): void {
  const isPlain = look.isFile() || look.isDirectory();
  const handle = isPlain ? openPlain(name, look) : openPlace(name);
  try {
    const { ino, dev } = fstatSync(handle, { bigint: true });
    if (ino !== look.ino || dev !== look.dev) return;
    if (isPlain) settleHandle(handle, settled);
    else settlePlace(name, handle, look, settled);
  } finally {
    closeSync(handle);
  }
}

/** Of a file or directory that is open. */
export function settleHandle(handle: number, settled: Settled): void {
  const { wanted, onLacking } = settled;
  const { uid, gid } = fstatSync(handle);
  if (uid !== wanted.uid || gid !== wanted.gid) {
    attempt('owner', () => fchownSync(handle, wanted.uid, wanted.gid), onLacking);
  }
  giveAttributes(handle, settled);
  attempt('mode', () => fchmodSync(handle, wanted.mode), onLacking);
  giveTime(handle, settled);
}

/** Links, pipes and devices are not opened: that alone would do something to whoever is at the other end. */
function settlePlace(name: NameIn, place: number, look: Look, settled: Settled): void {
  const { wanted, onLacking } = settled;
  if (Number(look.uid) !== wanted.uid || Number(look.gid) !== wanted.gid) {
    attempt('owner', () => changeOwner(place, wanted), onLacking);
  }
  giveAttributes(pathIn(name), settled);
  if (!look.isSymbolicLink()) attempt('mode', () => chmodSync(`/proc/self/fd/${place}`, wanted.mode), onLacking);
  giveTime(pathIn(name), settled);
}

/** Its owner may change what he may not read. */
function openPlain(name: NameIn, look: Look): number {
  const flags = READ | (look.isDirectory() ? constants.O_DIRECTORY : 0);
  try {
    return openSync(pathIn(name), flags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
  }
  const place = openPlace(name);
  try {
    chmodSync(`/proc/self/fd/${place}`, (Number(look.mode) & 0o7777) | 0o600);
    return openSync(`/proc/self/fd/${place}`, flags & ~constants.O_NOFOLLOW);
  } finally {
    closeSync(place);
  }
}

function giveAttributes(on: SystemEntry, { wanted, onLacking }: Settled): void {
  setAttributes(on, wanted.xattrs, (what, act) => attempt(what, act, onLacking));
}

function giveTime(on: SystemEntry, { wanted, keepsTime, onLacking }: Settled): void {
  const mtimeNs = BigInt(wanted.mtimeNs);
  if (!keepsTime) attempt('time', () => setTimes(on, { atimeNs: mtimeNs, mtimeNs }), onLacking);
}

function attempt(what: string, act: () => void, onLacking: OnLacking): void {
  try {
    act();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === undefined || !NOT_HERE.has(code)) throw error;
    onLacking(what, code);
  }
}
