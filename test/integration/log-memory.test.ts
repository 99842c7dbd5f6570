// Receivers of one process share their memory: the bound holds, and a store that hangs keeps no other one from the log.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { type Lsn, parseLsn } from '../../src/domain/lsn.ts';
import { ensureSlot, LogMemory, startReceiver } from '../../src/postgres/receiver/index.ts';
import { run } from '../../src/process/index.ts';
import type { Store } from '../../src/stores/store.ts';
import { archivedRuns } from '../support/archived-log.ts';
import { startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { testVault } from '../support/vault.ts';

const MiB = 1024 ** 2;
const components = ['database/main', 'database/second', 'database/third'] as const;

test('three receivers stay within one bound of memory while one of their copies hangs, and when it is back', async (t) => {
  const server = await startScratchPostgres(t, { major: 17, initdb: ['--wal-segsize=1'] });
  const limit = 8 * MiB;
  const memory = new LogMemory(2, limit);
  let highest = 0;
  let isOpen = Promise.resolve();
  const wrap = (store: Store): Store =>
    new Proxy(store, {
      get: (target, property) => {
        const value = Reflect.get(target, property, target) as unknown;
        if (property !== 'put') return typeof value === 'function' ? value.bind(target) : value;
        return async (...args: Parameters<Store['put']>) => {
          highest = Math.max(highest, memory.usedBytes);
          if (target.name === 'eu') await isOpen;
          return await target.put(...args);
        };
      },
    });
  const made = await testVault({ copies: ['local', 'eu'], policy: { copies: 1, offsite: 0 }, wrap });
  t.after(() => made[Symbol.asyncDispose]());
  const { vault } = made;
  const hang = Promise.withResolvers<void>();
  isOpen = hang.promise;
  const stateDirectory = await temporaryDirectory(t);
  const receivers = [];
  for (const component of components) {
    const source = { component, url: server.url() };
    const slot = component.replace('/', '_');
    await ensureSlot(source, slot, { immediatelyReserve: true });
    const receiver = startReceiver({
      ...{ source, component, slot, vault, policy: vault.policy, copies: vault.copies, stateDirectory, memory },
      logger: pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' }),
    });
    t.after(() => {
      hang.resolve();
      return receiver.stop();
    });
    receivers.push(receiver);
  }
  await run(server.bin('pgbench'), ['-i', '-s', '2', '-q'], { env: server.environment });
  const [row] = await server.query('select pg_current_wal_flush_lsn()::text as lsn');
  const end: Lsn = parseLsn(row?.lsn ?? '');
  await Promise.all(receivers.map((receiver) => receiver.waitFor('local', 1, end)));
  // Of segments alone, each of three shippers of each copy would hold many times as much.
  assert.ok(highest > limit / 4 && highest <= limit, String(highest));
  hang.resolve();
  await Promise.all(receivers.map((receiver) => receiver.waitFor('eu', 1, end)));
  assert.ok(highest <= limit, String(highest));
  const [{ id = '' } = {}] = await server.query('select system_identifier::text as id from pg_control_system()');
  for (const component of components) {
    const runs = await archivedRuns(vault.log(component, id, 'eu'), 1);
    assert.equal(runs.length, 1);
  }
});
