// A process for tests: takes a planned restore as far as it gets before somebody kills it.

import { readFile } from 'node:fs/promises';
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
import { openFileVault } from './open-vault.ts';

const [planFile = '', keyFile = '', directory = ''] = process.argv.slice(2);
const plan = JSON.parse(await readFile(planFile, 'utf8')) as RestorePlan;
const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: directory, offsite: false }] });
const guard = { token: 1 };
await prepareWork(plan, guard);
await fetchBase(plan, vault, guard);
await awaitTarget(plan, vault);
await proveRecovery(plan);
await promote(plan, guard);
await checkRecovered(plan);
await finishBeside(plan, guard);
process.stdout.write('finished\n');
