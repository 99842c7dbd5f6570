// A check whose segment cannot come, because nobody reads the slot, says so before it waits for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatabaseSettings } from '../../config/index.ts';
import { checkComponent } from '../../src/host/check.ts';
import { hostOf, slot } from '../support/receiver-host.ts';
import { waitFor } from '../support/wait-for.ts';

test('nobody at the slot is told before the wait begins, and a receiver that reads it leaves nothing to tell', async (t) => {
  const { server, vault, configuration, stop } = await hostOf(t);
  const database = { ...configuration.database.main, facts: { maximum: [] } } as unknown as DatabaseSettings;
  const told: { words: string; atMs: number }[] = [];
  const onDoubt = (words: string) => void told.push({ words, atMs: performance.now() });
  const check = (waitSeconds: number) => checkComponent(vault, configuration, database, { waitSeconds, onDoubt });
  const arrived = ({ checks }: Awaited<ReturnType<typeof check>>) =>
    checks.filter(({ name }) => name.startsWith('segment on ')).map(({ ok }) => ok);

  const good = await check(60);
  assert.ok(arrived(good).length > 0);
  assert.deepEqual([...new Set(arrived(good))], [true], JSON.stringify(good));
  assert.equal(told.length, 0);

  await stop();
  await waitFor('the slot to be free', async () => {
    const [row] = await server.query('select count(*)::text as n from pg_replication_slots where active');
    return row?.n === '0';
  });
  const report = await check(1);
  assert.deepEqual([...new Set(arrived(report))], [false]);
  assert.equal(told.length, 1);
  assert.match(
    told[0]?.words ?? '',
    new RegExp(`^slot: nobody reads '${slot}', \\d+ bytes of log kept for it; start \`holdfast worker\` on 'here'$`),
  );
  assert.ok(performance.now() - (told[0]?.atMs ?? Number.NaN) >= 1000, 'it was told before the wait');
});
