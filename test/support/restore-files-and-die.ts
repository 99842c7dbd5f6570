// A process for tests: restores the newest snapshot and says a byte for every step, until somebody kills it.

import { pino } from 'pino';
import { FileStore } from '../../src/stores/file-store.ts';
import { type FileToRestore, openVault, type SnapshotReader } from '../../src/vault/index.ts';

const [keyFile = '', copy = '', directory = ''] = process.argv.slice(2);
const store = new FileStore('local', copy);
const vault = await openVault({
  estate: 'acme',
  copies: [
    { description: { name: 'local', site: 'home', medium: 'disk', offsite: false, location: store.location }, store },
  ],
  policy: { copies: 1, offsite: 0 },
  keys: [{ name: 'host', kind: 'file', path: keyFile }],
  logger: pino({ level: 'silent' }),
  host: 'db1',
});
const [newest] = await vault.listSnapshots();
if (newest === undefined) throw new Error('there is no snapshot');
const reader = await vault.openSnapshot(newest.id);
await reader.restoreFiles(filesOf(reader), { directory, onProgress: () => process.stdout.write('.') });
// Whoever started this kills it.
setInterval(() => {}, 1000);

async function* filesOf(reader: SnapshotReader): AsyncGenerator<FileToRestore> {
  for await (const entry of reader.entries()) if (entry.type === 'file') yield { entry };
}
