// The vault as engines, activities and commands import it.

export { generateKeyFile } from './key-file.ts';
export type { KeySource } from './key-slots.ts';
export { createVault, openVault, type VaultOptions } from './open.ts';
export { requireLog } from './require-log.ts';
export type * from './types.ts';
