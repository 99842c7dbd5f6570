// Headers of a tar archive in the pax format (POSIX.1-2017, pax, "pax Interchange Format"), with the records of GNU tar and star for what POSIX has no word for.

import { bytesOfText, shownPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { TreeEntry } from '../../vault/index.ts';
import { aclText } from './acl-text.ts';

export const BLOCK_BYTES = 512;
/** Programs that read tapes read so much at once; GNU tar pads its archives to it. */
export const RECORD_BYTES = 20 * BLOCK_BYTES;

const TYPES = { file: '0', hardlink: '1', symlink: '2', directory: '5', fifo: '6' } as const;
const NAME_BYTES = 100;
const OWNER_BYTES = 31;
/** Largest numbers in seven and in eleven octal digits. */
const MOST_ID = 0o7777777;
const MOST_SIZE = 0o77777777777;
const PLAIN = /^[\x20-\x7e]*$/;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One entry's headers: what does not fit the old form stands in an extended header in front of it. */
export function headersOf(entry: TreeEntry): Buffer {
  const name = bytesOfText(entry.type === 'directory' ? `${entry.path}/` : entry.path);
  const link = linkOf(entry);
  const records = recordsOf(entry, name, link);
  const main = header({ entry, name, link, type: typeOf(entry), sizeBytes: sizeOf(entry) });
  if (records.length === 0) return main;
  const body = Buffer.concat(records);
  const extended = header({
    entry: { ...entry, mode: 0o644 },
    name: Buffer.from('./PaxHeaders/entry'),
    link: Buffer.alloc(0),
    type: 'x',
    sizeBytes: body.length,
  });
  return Buffer.concat([extended, body, paddingOf(body.length), main]);
}

/** Zeros up to the next block. */
export function paddingOf(sizeBytes: number): Buffer {
  return Buffer.alloc((BLOCK_BYTES - (sizeBytes % BLOCK_BYTES)) % BLOCK_BYTES);
}

function linkOf({ type, linkTarget = '' }: TreeEntry): Buffer {
  return type === 'symlink' || type === 'hardlink' ? bytesOfText(linkTarget) : Buffer.alloc(0);
}

function sizeOf({ type, sizeBytes }: TreeEntry): number {
  return type === 'file' ? sizeBytes : 0;
}

function typeOf({ path, type, device }: TreeEntry): string {
  if (type !== 'device') return TYPES[type];
  if (device === undefined) return fail('OBJECT_DAMAGED', `'${shownPath(path)}' is a device without a number`);
  return device.kind === 'character' ? '3' : '4';
}

/** `hdrcharset` comes first: it says how the others are to be read. */
function recordsOf(entry: TreeEntry, name: Buffer, link: Buffer): Buffer[] {
  const { user, group, mtimeNanos = 0, mtimeSeconds, uid = 0, gid = 0 } = entry;
  const records: Buffer[] = [];
  if (!isUtf8(name) || !isUtf8(link)) records.push(record('hdrcharset', Buffer.from('BINARY')));
  if (!fits(name, NAME_BYTES)) records.push(record('path', name));
  if (!fits(link, NAME_BYTES)) records.push(record('linkpath', link));
  if (mtimeNanos !== 0 || mtimeSeconds < 0 || mtimeSeconds > MOST_SIZE) {
    records.push(record('mtime', Buffer.from(timeText(mtimeSeconds, mtimeNanos))));
  }
  if (sizeOf(entry) > MOST_SIZE) records.push(record('size', Buffer.from(String(entry.sizeBytes))));
  if (uid > MOST_ID) records.push(record('uid', Buffer.from(String(uid))));
  if (gid > MOST_ID) records.push(record('gid', Buffer.from(String(gid))));
  if (user !== undefined && !fits(Buffer.from(user), OWNER_BYTES)) records.push(record('uname', Buffer.from(user)));
  if (group !== undefined && !fits(Buffer.from(group), OWNER_BYTES)) records.push(record('gname', Buffer.from(group)));
  records.push(...attributeRecords(entry));
  return records;
}

const ACLS = {
  'system.posix_acl_access': 'SCHILY.acl.access',
  'system.posix_acl_default': 'SCHILY.acl.default',
} as const;

/** Access lists stand in words (GNU tar's `--acls` reads them) and not as the attributes that they are on Linux. */
function* attributeRecords({ xattrs = {} }: TreeEntry): Generator<Buffer> {
  for (const [name, text] of Object.entries(xattrs)) {
    const value = Buffer.from(text, 'base64');
    const acl = name in ACLS ? ACLS[name as keyof typeof ACLS] : undefined;
    if (acl !== undefined) yield record(acl, Buffer.from(aclText(value, name)));
    // As GNU tar writes it: '=' ends the keyword of a record.
    else yield record(`SCHILY.xattr.${name.replaceAll('%', '%25').replaceAll('=', '%3D')}`, value);
  }
}

/** The length of a record counts its own digits. */
function record(keyword: string, value: Buffer): Buffer {
  const key = bytesOfText(keyword);
  const rest = 1 + key.length + 1 + value.length + 1;
  let length = rest + String(rest).length;
  if (String(length).length > String(rest).length) length = rest + String(length).length;
  return Buffer.concat([Buffer.from(`${length} `), key, Buffer.from('='), value, Buffer.from('\n')]);
}

/** A fraction counts away from zero: one and a half seconds before 1970 is -1.5, kept as -2 seconds and 500,000,000 ns. */
function timeText(seconds: number, nanos: number): string {
  const total = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
  const size = total < 0n ? -total : total;
  const fraction = String(size % 1_000_000_000n)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${total < 0n ? '-' : ''}${size / 1_000_000_000n}${fraction === '' ? '' : `.${fraction}`}`;
}

function isUtf8(bytes: Buffer): boolean {
  try {
    utf8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

function fits(bytes: Buffer, most: number): boolean {
  return bytes.length <= most && PLAIN.test(bytes.toString('latin1'));
}

interface HeaderParts {
  readonly entry: TreeEntry;
  readonly name: Buffer;
  readonly link: Buffer;
  readonly type: string;
  readonly sizeBytes: number;
}

/** The old form (ustar); what does not fit is cut off, or zero, because the extended header has it. */
function header({ entry, name, link, type, sizeBytes }: HeaderParts): Buffer {
  const { mode, uid = 0, gid = 0, mtimeSeconds, user = '', group = '', device } = entry;
  const block = Buffer.alloc(BLOCK_BYTES);
  name.copy(block, 0, 0, NAME_BYTES);
  block.write(octal(mode, 7), 100, 'latin1');
  block.write(octal(uid > MOST_ID ? 0 : uid, 7), 108, 'latin1');
  block.write(octal(gid > MOST_ID ? 0 : gid, 7), 116, 'latin1');
  block.write(octal(sizeBytes > MOST_SIZE ? 0 : sizeBytes, 11), 124, 'latin1');
  block.write(octal(Math.min(Math.max(mtimeSeconds, 0), MOST_SIZE), 11), 136, 'latin1');
  block.write(type, 156, 'latin1');
  link.copy(block, 157, 0, NAME_BYTES);
  block.write('ustar\x0000', 257, 'latin1');
  Buffer.from(user).copy(block, 265, 0, OWNER_BYTES);
  Buffer.from(group).copy(block, 297, 0, OWNER_BYTES);
  const isDevice = type === '3' || type === '4';
  block.write(octal(isDevice ? (device?.major ?? 0) : 0, 7), 329, 'latin1');
  block.write(octal(isDevice ? (device?.minor ?? 0) : 0, 7), 337, 'latin1');
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${octal(sum, 6)}\0 `, 148, 'latin1');
  return block;
}

function octal(value: number, digits: number): string {
  return Math.trunc(value).toString(8).padStart(digits, '0');
}
