// A process for tests: takes a dump as far as it gets before somebody kills it. Arguments: url of the server, key file, directory of the copy, spool.

import { pino } from 'pino';
import { takeDump } from '../../src/postgres/logical/index.ts';
import { openFileVault } from './open-vault.ts';
import { COMPONENT, snapshotId } from './vault.ts';

const [url = '', keyFile = '', directory = '', spoolDirectory = ''] = process.argv.slice(2);
const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: directory, offsite: false }] });
await takeDump({
  ...{ vault, spoolDirectory, jobs: 4, choice: { include: [], exclude: [] } },
  source: { component: COMPONENT, url },
  request: { snapshotId: snapshotId(1), component: COMPONENT, host: 'db1' },
  signal: new AbortController().signal,
  logger: pino({ level: 'silent' }),
});
process.stdout.write('finished\n');
