// An access control list as Linux keeps it in an attribute, in the words of acl(5).

import { fail } from '../../errors/index.ts';

const VERSION = 2;
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const NAMES = new Map([
  [0x01, 'user:'],
  [0x02, 'user'],
  [0x04, 'group:'],
  [0x08, 'group'],
  [0x10, 'mask:'],
  [0x20, 'other:'],
]);
/** Tags of entries that are somebody's by number. */
const NAMED = new Set([0x02, 0x08]);

/** `user::rw-,user:12345:r--,group::r--,mask::r--,other::---`, with numbers. Throws `OBJECT_DAMAGED`. */
export function aclText(value: Buffer, name: string): string {
  const entries = (value.length - HEADER_BYTES) / ENTRY_BYTES;
  if (!Number.isInteger(entries) || entries < 0 || value.readUInt32LE(0) !== VERSION) return unknown(name);
  const words: string[] = [];
  for (let at = HEADER_BYTES; at < value.length; at += ENTRY_BYTES) {
    const tag = value.readUInt16LE(at);
    const permissions = value.readUInt16LE(at + 2);
    const kind = NAMES.get(tag) ?? unknown(name);
    const who = NAMED.has(tag) ? `:${value.readUInt32LE(at + 4)}` : '';
    words.push(`${kind}${who}:${permissionText(permissions)}`);
  }
  return words.join(',');
}

function permissionText(permissions: number): string {
  return ['r', 'w', 'x'].map((letter, bit) => ((permissions & (4 >> bit)) === 0 ? '-' : letter)).join('');
}

function unknown(name: string): never {
  return fail('OBJECT_DAMAGED', `the attribute '${name}' is no access control list`);
}
