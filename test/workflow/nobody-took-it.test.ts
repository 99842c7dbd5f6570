// Runs that no worker has taken yet: they are listed under their component and say which it is, because whoever started them said so.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { pino } from 'pino';
import { parseConfiguration } from '../../config/index.ts';
import type { Connected } from '../../src/temporal/connection.ts';
import { RunBook } from '../../src/temporal/run-book.ts';
import { applySchedules } from '../../src/temporal/schedules.ts';
import { ensureShipping } from '../../src/temporal/shipping.ts';
import { FILE, minimal } from '../support/configuration.ts';
import { waitFor } from '../support/wait-for.ts';
import { sharedEnvironment } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const logger = pino({ level: 'silent' });
const { signal } = new AbortController();

test('a run that nobody has taken names its component, whether a worker or a schedule has started it', async (t) => {
  const estate = `t${randomUUID().slice(0, 8)}`;
  const backup = 'url: "env:DATABASE_URL", backup: { full: every 24h }';
  const text = minimal.replace('name: acme', `name: ${estate}`).replace('url: "env:DATABASE_URL"', backup);
  const configuration = parseConfiguration(text, FILE);
  const { client } = shared.env;
  await ensureShipping(client, configuration, ['db1'], logger, signal);
  const [schedule] = await applySchedules(client, configuration, { dryRun: false });
  const scheduled = client.schedule.getHandle(schedule?.id ?? '');
  await scheduled.trigger();
  const book = new RunBook({ client, namespace: 'default' } as Connected, configuration);
  const runs = await waitFor('both to be listed', async () => {
    const listed = await book.running('database/main');
    return listed.length === 2 ? listed : undefined;
  });
  t.after(async () => {
    await scheduled.delete();
    for (const { workflowId } of runs) await client.workflow.getHandle(workflowId).terminate();
  });
  assert.deepEqual(runs.map(({ operation, component, message }) => [operation, component, message]).sort(), [
    ['backupDatabase', 'database/main', 'no worker answers; the run goes on when one does'],
    ['shipLog', 'database/main', 'no worker answers; the run goes on when one does'],
  ]);
  assert.deepEqual(await book.running('database/other'), []);
});
