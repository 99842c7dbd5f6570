// A process for tests: restores the newest snapshot and says a byte for every step, until somebody kills it.

import type { FileToRestore, SnapshotReader } from '../../src/vault/index.ts';
import { openFileVault } from './open-vault.ts';

const [keyFile = '', copy = '', directory = ''] = process.argv.slice(2);
const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: copy, offsite: false }] });
const [newest] = await vault.listSnapshots();
if (newest === undefined) throw new Error('there is no snapshot');
const reader = await vault.openSnapshot(newest.id);
await reader.restoreFiles(filesOf(reader), { directory, onProgress: () => process.stdout.write('.') });
// Whoever started this kills it.
setInterval(() => {}, 1000);

async function* filesOf(reader: SnapshotReader): AsyncGenerator<FileToRestore> {
  for await (const entry of reader.entries()) if (entry.type === 'file') yield { entry };
}
