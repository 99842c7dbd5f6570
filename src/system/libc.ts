// Calls of the operating system that Node has no way to make, straight from the C library that this process runs with.

import { constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';
import { bytesOfText } from '../domain/path-text.ts';
import type { NameIn } from './names.ts';
import { openPartByPart } from './open-part-by-part.ts';

/** Takes the place of a directory's handle: paths are absolute, or begin at the working directory (fcntl.h). */
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const ERANGE = 'ERANGE';
/** openat2(2), the same number on every architecture; RESOLVE_NO_MAGICLINKS and RESOLVE_NO_SYMLINKS. */
const SYS_OPENAT2 = 437;
const NO_LINKS = 0x06n;
const O_CLOEXEC = 0o2000000;
/** The path is empty: the handle itself is meant (fcntl.h). */
const AT_EMPTY_PATH = 0x1000;
/** renameat2(2), since Linux 3.15. */
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
/** No such call in this kernel, or not for this file system; a filter of system calls says it has no right. */
const NO_SUCH_CALL = new Set(['ENOSYS', 'EINVAL', 'ENOTSUP', 'EOPNOTSUPP', 'EPERM']);

// Loaded when first needed: most commands need none of it.
const library = once(() => koffi.load(null));
const calls = {
  utimensat: once(() => library().func('int utimensat(int at, const uint8_t *path, const int64_t *times, int flags)')),
  syscall: once(() =>
    library().func('int64_t syscall(int64_t number, int at, const uint8_t *path, const uint64_t *how, size_t size)'),
  ),
  close: once(() => library().func('int close(int fd)')),
  renameat2: once(() =>
    library().func('int renameat2(int from, const uint8_t *name, int to, const uint8_t *other, uint32_t flags)'),
  ),
  fchownat: once(() =>
    library().func('int fchownat(int fd, const uint8_t *path, uint32_t uid, uint32_t gid, int flags)'),
  ),
  futimens: once(() => library().func('int futimens(int fd, const int64_t *times)')),
  mknod: once(() => library().func('int mknod(const uint8_t *path, uint32_t mode, uint64_t device)')),
  mallopt: once(() => library().func('int mallopt(int parameter, int value)')),
  syncfs: once(() => library().func('int syncfs(int fd)')),
  listxattr: once(() => library().func('int64_t llistxattr(const uint8_t *path, _Out_ uint8_t *list, size_t size)')),
  getxattr: once(() =>
    library().func('int64_t lgetxattr(const uint8_t *path, const uint8_t *name, _Out_ uint8_t *value, size_t size)'),
  ),
  setxattr: once(() =>
    library().func(
      'int lsetxattr(const uint8_t *path, const uint8_t *name, const uint8_t *value, size_t size, int flags)',
    ),
  ),
  removexattr: once(() => library().func('int lremovexattr(const uint8_t *path, const uint8_t *name)')),
  flistxattr: once(() => library().func('int64_t flistxattr(int fd, _Out_ uint8_t *list, size_t size)')),
  fgetxattr: once(() =>
    library().func('int64_t fgetxattr(int fd, const uint8_t *name, _Out_ uint8_t *value, size_t size)'),
  ),
  fsetxattr: once(() =>
    library().func('int fsetxattr(int fd, const uint8_t *name, const uint8_t *value, size_t size, int flags)'),
  ),
  fremovexattr: once(() => library().func('int fremovexattr(int fd, const uint8_t *name)')),
} as const;

/** Whether the C library knows and took it; another one than glibc may not have the call. */
export function tuneAllocator(parameter: number, value: number): boolean {
  try {
    return calls.mallopt()(parameter, value) === 1;
  } catch {
    return false;
  }
}

export type SystemPath = string | Uint8Array;
/** A handle, or the entry itself that a path names, also when it is a link. */
export type SystemEntry = number | SystemPath;

/** Nanoseconds since 1970. Throws as `node:fs` does: `code`, `syscall`. */
export function setTimes(
  on: SystemEntry,
  { atimeNs, mtimeNs }: { readonly atimeNs: bigint; readonly mtimeNs: bigint },
) {
  const times = new BigInt64Array([...timespec(atimeNs), ...timespec(mtimeNs)]);
  if (typeof on === 'number') require0(calls.futimens()(on, times), 'futimens', on);
  else require0(calls.utimensat()(AT_FDCWD, terminated(on), times, AT_SYMLINK_NOFOLLOW), 'utimensat', on);
}

/**
 * Opens a file by a path on which no part is a symbolic link: `ELOOP` where one is. Throws as `node:fs` does; the caller closes it. Where the kernel
 * (before Linux 5.6), or a filter of its calls, has no such call, the path is gone part by part.
 */
export function openStraight(path: SystemPath, flags: number): number {
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, NO_LINKS]);
  const handle = Number(calls.syscall()(SYS_OPENAT2, AT_FDCWD, terminated(path), how, how.byteLength));
  if (handle < 0) {
    const error = systemError('openat2', path);
    if (error.code === 'ENOSYS' || error.code === 'EPERM') return openPartByPart(path, flags);
    throw error;
  }
  try {
    // Node closes only what it has opened itself without a warning.
    return openSync(`/proc/self/fd/${handle}`, flags & ~constants.O_NOFOLLOW);
  } finally {
    calls.close()(handle);
  }
}

/** What two names mean changes places, at one instant. False, and nothing was done, where kernel or file system have no such thing. Throws as `node:fs` does. */
export function exchangeNames(one: NameIn, other: NameIn): boolean {
  return renamed(one, other, RENAME_EXCHANGE);
}

/** A rename that overwrites nothing: `EEXIST` where there is something of that name. False, and nothing was done, where kernel or file system have no such thing. */
export function renameToNew(from: NameIn, to: NameIn): boolean {
  return renamed(from, to, RENAME_NOREPLACE);
}

function renamed(from: NameIn, to: NameIn, flags: number): boolean {
  const [name, other] = [terminated(bytesOfText(from.name)), terminated(bytesOfText(to.name))];
  let result: number;
  try {
    result = calls.renameat2()(from.directory, name, to.directory, other, flags);
  } catch {
    return false; // A C library that does not have it.
  }
  if (result === 0) return true;
  const error = systemError('renameat2', bytesOfText(to.name));
  if (NO_SUCH_CALL.has(error.code ?? '')) return false;
  throw error;
}

/** Of what a handle stands for, also one that was only opened as a place (`O_PATH`), also a link. */
export function changeOwner(handle: number, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  require0(calls.fchownat()(handle, Buffer.alloc(1), uid, gid, AT_EMPTY_PATH), 'fchownat', handle);
}

/** `mode` with the type of the node; `device` as `lstat` gives it in `rdev`. */
export function makeNode(path: SystemPath, mode: number, device: bigint): void {
  require0(calls.mknod()(terminated(path), mode, device), 'mknod', path);
}

/**
 * All that was written to the file system of an open file or directory is on the disk. Tells of every write that failed since the handle was
 * opened, also when another sync was told of it first (syncfs(2), since Linux 5.8).
 */
export async function syncFileSystemOf(handle: number): Promise<void> {
  const [result, errno] = await new Promise<[number, number]>((resolve, reject) => {
    calls.syncfs().async(handle, (error: unknown, value: number) => {
      if (error) reject(error);
      else resolve([value, koffi.errno()]);
    });
  });
  if (result !== 0) throw systemError('syncfs', handle, errno);
}

/** Names of the extended attributes, sorted, a character a byte; none where the file system has no such thing. */
export function listAttributes(on: SystemEntry): string[] {
  const call = bound(on, calls.flistxattr(), calls.listxattr());
  const list = sized((buffer) => call(buffer, buffer.length), 'listxattr', on);
  if (list === undefined || list.length === 0) return [];
  return list
    .toString('latin1', 0, list.length - 1)
    .split('\0')
    .sort();
}

/** Undefined when it is not there any more. */
export function getAttribute(on: SystemEntry, name: string): Buffer | undefined {
  const call = bound(on, calls.fgetxattr(), calls.getxattr());
  return sized((buffer) => call(attributeName(name), buffer, buffer.length), 'getxattr', on);
}

export function setAttribute(on: SystemEntry, name: string, value: Uint8Array): void {
  const call = bound(on, calls.fsetxattr(), calls.setxattr());
  require0(call(attributeName(name), value, value.length, 0), 'setxattr', on);
}

export function removeAttribute(on: SystemEntry, name: string): void {
  const call = bound(on, calls.fremovexattr(), calls.removexattr());
  require0(call(attributeName(name)), 'removexattr', on);
}

type Call = (...args: unknown[]) => number;

function bound(on: SystemEntry, byHandle: Call, byPath: Call): Call {
  if (typeof on === 'number') return (...args) => byHandle(on, ...args);
  const path = terminated(on);
  return (...args) => byPath(path, ...args);
}

function require0(result: number, syscall: string, on: SystemEntry): void {
  if (result !== 0) throw systemError(syscall, on);
}

/** Asked again with room for what there is, as long as that grows. */
function sized(call: (buffer: Buffer) => number, syscall: string, on: SystemEntry): Buffer | undefined {
  for (let size = 256; ; size *= 4) {
    const buffer = Buffer.allocUnsafeSlow(size);
    const length = Number(call(buffer));
    if (length >= 0) return buffer.subarray(0, length);
    const error = systemError(syscall, on);
    if (error.code === 'ENODATA' || error.code === 'ENOTSUP' || error.code === 'EOPNOTSUPP') return undefined;
    if (error.code !== ERANGE || size > 1024 * 1024) throw error;
  }
}

function timespec(ns: bigint): [bigint, bigint] {
  const nanos = BigInt.asUintN(64, ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
  return [(ns - nanos) / 1_000_000_000n, nanos];
}

function terminated(path: SystemPath): Buffer {
  if (typeof path === 'string') return Buffer.from(`${path}\0`);
  return Buffer.concat([path, Buffer.alloc(1)]);
}

function attributeName(name: string): Buffer {
  return Buffer.from(`${name}\0`, 'latin1');
}

function systemError(syscall: string, on: SystemEntry, errno = koffi.errno()): NodeJS.ErrnoException {
  const code = getSystemErrorName(-errno);
  const shown = typeof on === 'number' ? '' : ` '${typeof on === 'string' ? on : Buffer.from(on).toString()}'`;
  return Object.assign(new Error(`${code}: ${syscall}${shown}`), { code, errno: -errno, syscall });
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => {
    made ??= { value: make() };
    return made.value;
  };
}
