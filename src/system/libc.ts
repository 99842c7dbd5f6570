// Calls of the operating system that Node has no way to make, straight from the C library that this process runs with.

import { constants, openSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import koffi from 'koffi';

/** Takes the place of a directory's handle: paths are absolute, or begin at the working directory (fcntl.h). */
const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const ERANGE = 'ERANGE';
/** openat2(2), the same number on every architecture; RESOLVE_NO_MAGICLINKS and RESOLVE_NO_SYMLINKS. */
const SYS_OPENAT2 = 437;
const NO_LINKS = 0x06n;
const O_CLOEXEC = 0o2000000;

// Loaded when first needed: most commands need none of it.
const library = once(() => koffi.load(null));
const calls = {
  utimensat: once(() => library().func('int utimensat(int at, const uint8_t *path, const int64_t *times, int flags)')),
  syscall: once(() =>
    library().func('int64_t syscall(int64_t number, int at, const uint8_t *path, const uint64_t *how, size_t size)'),
  ),
  close: once(() => library().func('int close(int fd)')),
  futimens: once(() => library().func('int futimens(int fd, const int64_t *times)')),
  mknod: once(() => library().func('int mknod(const uint8_t *path, uint32_t mode, uint64_t device)')),
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
 * Opens a file by a path on which no part is a symbolic link: `ELOOP` where one is. Throws as `node:fs` does; the caller closes it. A kernel
 * without the call (before Linux 5.6) gives `ENOSYS`.
 */
export function openStraight(path: SystemPath, flags: number): number {
  const how = new BigUint64Array([BigInt(flags | O_CLOEXEC), 0n, NO_LINKS]);
  const handle = Number(calls.syscall()(SYS_OPENAT2, AT_FDCWD, terminated(path), how, how.byteLength));
  if (handle < 0) throw systemError('openat2', path);
  try {
    // Node closes only what it has opened itself without a warning.
    return openSync(`/proc/self/fd/${handle}`, flags & ~constants.O_NOFOLLOW);
  } finally {
    calls.close()(handle);
  }
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
