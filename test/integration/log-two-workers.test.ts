// Two workers of one host, of which one alone can take the log: a step goes on in either of them.

import assert from 'node:assert/strict';
import { rename } from 'node:fs/promises';
import { test } from 'node:test';
import { lsnFrom, lsnValue } from '../../src/domain/lsn.ts';
import { ensureSlot } from '../../src/postgres/receiver/index.ts';
import { start as startProcess } from '../../src/process/index.ts';
import { hostOf, slot } from '../support/receiver-host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const patient = { limitMs: 180_000 };
const soon = () => AbortSignal.timeout(120_000);

test('the one that does not take the log takes the other one at its word of the slot, and the copies at what they hold', async (t) => {
  const host = await hostOf(t, { copies: ['local', 'far'], policy: { copies: 2, offsite: 0 } });
  const { server, made, start, flushed } = host;
  const other = start();
  await waitFor('the slot to be busy', () => other.state(COMPONENT)?.error?.code === 'SLOT_BUSY', patient);
  assert.deepEqual(await other.ensure(COMPONENT), { slot, state: 'present' });

  await server.query('create table t as select generate_series(1, 100000) as n');
  const end = await flushed();
  await other.drain(COMPONENT, 1, end, soon());
  const from = lsnFrom(lsnValue(end) - 4096n);
  const copy = host.vault.copies[0]?.name ?? '';
  await other.waitForLog(COMPONENT, copy, 1, from, end, { signal: soon() });

  // A copy that is away holds nothing, so that too few do.
  await server.query('create table u as select generate_series(1, 100000) as n');
  const later = await flushed();
  await host.receivers.drain(COMPONENT, 1, later, soon());
  const away = made.path(host.vault.copies[1]?.name ?? '');
  await rename(away, `${away}-away`);
  await assert.rejects(other.drain(COMPONENT, 1, later, AbortSignal.timeout(15_000)));
  await rename(`${away}-away`, away);
  await other.drain(COMPONENT, 1, later, soon());
  assert.equal(other.state(COMPONENT)?.error?.code, 'SLOT_BUSY');
});

test('whoever else reads the slot takes no log for us', async (t) => {
  const { server, start, stop } = await hostOf(t, { ensureWithinMs: 10_000 });
  await stop();
  await ensureSlot({ component: COMPONENT, url: server.url() }, slot, { immediatelyReserve: true });
  const directory = await temporaryDirectory(t);
  const foreign = await startProcess(server.bin('pg_receivewal'), ['-D', directory, '-S', slot, '--no-loop'], {
    env: server.environment,
  });
  t.after(() => foreign.stop().then(() => undefined));
  const reading = `select from pg_replication_slots where active and slot_name = '${slot}'`;
  await waitFor('it to read the slot', async () => (await server.query(reading)).length > 0, patient);
  const receivers = start();
  const refused = {
    code: 'SLOT_BUSY',
    message: /is not received: .*is active for PID/,
    hint: /is a second worker running/,
  };
  await assert.rejects(receivers.ensure(COMPONENT), refused);
});
