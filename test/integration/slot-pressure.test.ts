// The log that a slot keeps while no copy takes any: seen growing, told with the numbers and the time that is left, and over when the copies are back.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeSlot } from '../../src/domain/slot-pressure.ts';
import { openHostService } from '../../src/host/service.ts';
import { blockable } from '../support/blockable-store.ts';
import { hostOf, logger } from '../support/receiver-host.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const patient = { limitMs: 240_000 };

test('a slot that keeps most of what it may is late in the status, with how long the server can wait', async (t) => {
  const stores = blockable();
  const { server, receivers, vault, configuration } = await hostOf(t, {
    wrap: stores.wrap,
    settings: { max_slot_wal_keep_size: '200MB', max_wal_size: '4MB' },
  });
  const pressure = () => receivers.state(COMPONENT)?.slot.pressure;
  await waitFor('a look at the slot', () => pressure()?.limitBytes, patient);
  assert.equal(judgeSlot(pressure()!), undefined);

  for (const { name } of vault.copies) stores.block(name);
  await server.query('create table filler (t text)');
  const fill = () =>
    server.query(`insert into filler select repeat(md5(n::text), 100) from generate_series(1, 5000) n`);
  await waitFor(
    'the slot to keep most of it',
    async () => {
      await fill();
      return judgeSlot(pressure()!)?.severity === 'late';
    },
    patient,
  );
  const service = await openHostService(configuration, {
    ...{ logger, host: 'here', vault },
    reception: () => ({ slot: pressure()! }),
  });
  for (const { name } of vault.copies) stores.open(name);
  const [status] = await service.components(COMPONENT);
  assert.equal(status?.state, 'late');
  assert.match(
    status?.findings[0]?.message ?? '',
    /^the server keeps [\d.]+ MiB of log for the slot 'holdfast_acme_main', of at most [\d.]+ MiB/,
  );
  await waitFor('the slot to be let go', () => pressure() && judgeSlot(pressure()!) === undefined, patient);
});
