// A process for tests: takes a planned restore as far as it gets before somebody kills it.

import { readFile } from 'node:fs/promises';
import { pino } from 'pino';
import {
  awaitTarget,
  checkRecovered,
  fetchBase,
  finishBeside,
  prepareWork,
  promote,
  proveRecovery,
} from '../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../src/postgres/types.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { openVault } from '../../src/vault/index.ts';

const [planFile = '', keyFile = '', directory = ''] = process.argv.slice(2);
const plan = JSON.parse(await readFile(planFile, 'utf8')) as RestorePlan;
const store = new FileStore('local', directory);
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
const guard = { token: 1 };
await prepareWork(plan, guard);
await fetchBase(plan, vault, guard);
await awaitTarget(plan, vault);
await proveRecovery(plan);
await promote(plan, guard);
await checkRecovered(plan);
await finishBeside(plan, guard);
process.stdout.write('finished\n');
