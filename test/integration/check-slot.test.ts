// A check whose segment cannot come, because nobody reads the slot, says so before it waits for it.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatabaseSettings } from '../../config/index.ts';
import { checkComponent } from '../../src/host/check.ts';
import { hostOf, slot } from '../support/receiver-host.ts';
import { COMPONENT } from '../support/vault.ts';
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

test('slots of others that nobody reads are told by the check and, from a size on, in what the status is made of', async (t) => {
  const { server, vault, configuration, receivers } = await hostOf(t);
  const database = { ...configuration.database.main, facts: { maximum: [] } } as unknown as DatabaseSettings;
  const others = async () => {
    const { checks } = await checkComponent(vault, configuration, database, { waitSeconds: 60 });
    return checks.filter(({ name }) => name === 'other slots');
  };
  assert.deepEqual(await others(), [{ name: 'other slots', ok: true, message: 'none keeps log that nobody reads' }]);

  // One that was never read keeps nothing, and is no slot that anybody left.
  await server.query("select pg_create_physical_replication_slot('never_read')");
  await server.query("select pg_create_physical_replication_slot('left_behind', true)");
  const [told, ...more] = await others();
  assert.deepEqual(more, []);
  assert.equal(told?.ok, true);
  assert.match(told?.message ?? '', /^nobody reads the physical slot 'left_behind', for which the server keeps /);
  assert.match(told?.hint ?? '', /drop it: SELECT pg_drop_replication_slot\('left_behind'\);$/);
  const idle = () => receivers.state(COMPONENT)?.slot.idle;
  await waitFor('a look at the slots', () => idle()?.length === 1, { limitMs: 240_000 });
  assert.equal(idle()?.[0]?.slot, 'left_behind');

  await server.query("select pg_drop_replication_slot('left_behind')");
  await waitFor('it to be gone', () => idle()?.length === 0, { limitMs: 240_000 });
});
