// A process for tests: takes a base backup as far as it gets before somebody kills it. Arguments: url of the server, key file, directory of the copy, number, spool of an incremental one.

import { pino } from 'pino';
import { takeBaseBackup } from '../../src/postgres/backup/index.ts';
import { openFileVault } from './open-vault.ts';
import { COMPONENT, snapshotId } from './vault.ts';

const [url = '', keyFile = '', directory = '', number = '', spoolDirectory] = process.argv.slice(2);
const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: directory, offsite: false }] });
await takeBaseBackup({
  vault,
  source: { component: COMPONENT, url },
  request: { snapshotId: snapshotId(Number(number)), component: COMPONENT, host: 'db1' },
  waitForLog: () => Promise.resolve(),
  ...(spoolDirectory === undefined ? {} : { incremental: { spoolDirectory } }),
  signal: new AbortController().signal,
  logger: pino({ level: 'silent' }),
});
process.stdout.write('finished\n');
