// What an entry of a pulled tree really is: rsync's `--fake-super` keeps what only root could give in an attribute, so that no set-uid program or device of another host is ever real here.

import { readFileSync } from 'node:fs';
import { shownPath, textOfPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import { getAttribute } from '../../system/index.ts';
import type { Found, FoundType } from '../scan/found.ts';

const PREFIX = 'user.rsync.';
const STAT = `${PREFIX}%stat`;
/** Mode in octal with the type, major and minor number of a device, owner and group (rsync 3, xattrs.c). */
const FORM = /^([0-7]+) (\d+),(\d+) (\d+):(\d+)\0?$/;
const TYPES = new Map<number, FoundType>([
  [0o010000, 'fifo'],
  [0o020000, 'character device'],
  [0o040000, 'directory'],
  [0o060000, 'block device'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
  [0o140000, 'socket'],
]);
const TYPE_BITS = 0o170000;

/** `place`: of the entry here. Throws `BACKUP_INVALID` for an attribute that rsync does not write. */
export function uncovered(found: Found, place: string | Buffer): Found {
  const bytes = getAttribute(place, STAT);
  if (!bytes) return found;
  const [, octal = '', major = '', minor = '', uid, gid] = FORM.exec(bytes.toString('latin1')) ?? [];
  const mode = Number.parseInt(octal, 8);
  const type = TYPES.get(mode & TYPE_BITS);
  if (!type) return fail('BACKUP_INVALID', `'/${shownPath(found.path)}' was not kept as rsync keeps it: '${bytes}'`);
  return {
    ...found,
    type,
    mode: mode & 0o7777,
    uid: Number(uid),
    gid: Number(gid),
    ...(type.endsWith('device') && { rdev: deviceNumber(BigInt(major), BigInt(minor)) }),
    ...(type === 'symlink' && { linkTarget: textOfPath(readFileSync(place)) }),
    ...(type !== 'file' && { hasHoles: false }),
  };
}

/** As Linux packs it (gnu_dev_makedev). */
function deviceNumber(major: bigint, minor: bigint): bigint {
  return ((major & 0xfffn) << 8n) | ((major & ~0xfffn) << 32n) | (minor & 0xffn) | ((minor & ~0xffn) << 12n);
}

type Attributes = Readonly<Record<string, string>>;

/** Attributes as the other host has them. `mode`: of the entry there. */
export function uncoveredAttributes(xattrs: Attributes | undefined, mode: number): Attributes | undefined {
  const real: Record<string, string> = {};
  for (const [name, value] of Object.entries(xattrs ?? {})) {
    if (!name.startsWith(PREFIX)) real[name] = value;
    else if (name === `${PREFIX}%aacl`) real['system.posix_acl_access'] = accessList(value, mode);
    else if (name === `${PREFIX}%dacl`) real['system.posix_acl_default'] = accessList(value, undefined);
    else if (!name.startsWith(`${PREFIX}%`)) real[kept(name)] = value;
  }
  return Object.keys(real).length > 0 ? real : undefined;
}

/** Of name spaces that only root can write to. */
function kept(name: string): string {
  const inner = name.slice(PREFIX.length);
  return /^(?:security|trusted|system)\./.test(inner) ? inner : name;
}

const NONE = 0x80;
const USER = 0x80000000;
const tags = { owner: 0x01, user: 0x02, group: 0x04, groups: 0x08, mask: 0x10, other: 0x20 } as const;
const NOBODY = 0xffffffff;

/** From rsync's form (four words for owner, group, mask and other, then id and permissions of each name; what the mode says too is left out) to that of Linux. */
function accessList(base64: string, mode: number | undefined): string {
  const bytes = Buffer.from(base64, 'base64');
  if (bytes.length < 16 || bytes.length % 8 !== 0)
    fail('BACKUP_INVALID', 'an access list was not kept as rsync keeps it');
  const word = (at: number) => bytes.readUInt32LE(at);
  const names: { readonly isUser: boolean; readonly id: number; readonly bits: number }[] = [];
  for (let at = 16; at < bytes.length; at += 8) {
    const access = word(at + 4);
    names.push({ isUser: access >= USER, id: word(at), bits: access & 7 });
  }
  const ofMode = (shift: number, value: number) => (value === NONE ? ((mode ?? 0) >> shift) & 7 : value & 7);
  const hasMask = word(8) !== NONE || names.length > 0;
  const rows: [tag: number, bits: number, id: number][] = [
    [tags.owner, ofMode(6, word(0)), NOBODY],
    ...names.filter(({ isUser }) => isUser).map(({ id, bits }) => [tags.user, bits, id] as [number, number, number]),
    [tags.group, ofMode(3, word(4)), NOBODY],
    ...names.filter(({ isUser }) => !isUser).map(({ id, bits }) => [tags.groups, bits, id] as [number, number, number]),
    ...(hasMask ? [[tags.mask, ofMode(3, word(8)), NOBODY] as [number, number, number]] : []),
    [tags.other, ofMode(0, word(12)), NOBODY],
  ];
  const list = Buffer.alloc(4 + rows.length * 8);
  list.writeUInt32LE(2);
  for (const [row, [tag, bits, id]] of rows.entries()) {
    list.writeUInt16LE(tag, 4 + row * 8);
    list.writeUInt16LE(bits, 6 + row * 8);
    list.writeUInt32LE(id >>> 0, 8 + row * 8);
  }
  return list.toString('base64');
}
