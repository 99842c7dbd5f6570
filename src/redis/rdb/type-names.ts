// Types of values in an RDB by their numbers (rdb.h of Redis 8.0 and of Valkey 9.0), as `TYPE` names them.

export const opcodes = {
  slotInfo: 244,
  functions: 245,
  functionsBeforeRelease: 246,
  moduleAux: 247,
  idle: 248,
  frequency: 249,
  aux: 250,
  resize: 251,
  expiryMs: 252,
  expirySeconds: 253,
  select: 254,
  end: 255,
} as const;

const MODULE = 'module';

const names: Readonly<Record<number, string>> = {
  0: 'string',
  1: 'list',
  2: 'set',
  3: 'zset',
  4: 'hash',
  5: 'zset',
  7: MODULE,
  9: 'hash',
  10: 'list',
  11: 'set',
  12: 'zset',
  13: 'hash',
  14: 'list',
  15: 'stream',
  16: 'hash',
  17: 'zset',
  18: 'list',
  19: 'stream',
  20: 'set',
  21: 'stream',
};

/** `undefined` for what this does not know. The two went their own ways at 22. */
export function typeName(type: number, magic: string): string | undefined {
  if (magic === 'VALKEY' && type === 22) return 'hash';
  if (magic === 'REDIS' && (type === 24 || type === 25)) return 'hash';
  return names[type];
}
