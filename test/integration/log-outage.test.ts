// A receiver that failed: started again as long as the worker runs, told with since when and why, and nothing buried by the next start.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { lsnFrom, lsnValue } from '../../src/domain/lsn.ts';
import { openHostService } from '../../src/host/service.ts';
import { type ReceiverEvent, startReceiver } from '../../src/postgres/receiver/index.ts';
import { archivedRuns } from '../support/archived-log.ts';
import { hostOf, logger, slot } from '../support/receiver-host.ts';
import { startScratchPostgres } from '../support/scratch-postgres.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { COMPONENT } from '../support/vault.ts';
import { waitFor } from '../support/wait-for.ts';

const patient = { limitMs: 180_000 };
const limits = { steadyMs: 1_000 };
const everyWalsenderEnds = `select pg_terminate_backend(pid) from pg_stat_replication`;

test('a password that is refused is an outage with its hint, in the status too, until the reference names the new one', async (t) => {
  const { server, receivers, setUrl, vault, configuration, flushed } = await hostOf(t, { limits });
  await waitFor('a steady receiver', () => receivers.reception(COMPONENT).steady, patient);
  const before = new Date().toISOString();
  await server.query(`alter role postgres password 'another'`);
  await server.query(everyWalsenderEnds);
  // It is told on while the next attempt is made.
  const hasFailed = () => receivers.state(COMPONENT)?.phase === 'failed';
  const outage = await waitFor(
    'the outage of one that has failed',
    () => hasFailed() && receivers.reception(COMPONENT).outage,
    patient,
  );
  assert.equal(outage.code, 'DATABASE_AUTH');
  assert.match(outage.message, /password authentication failed/);
  assert.match(outage.hint, /check role 'postgres', its password/);
  assert.ok(outage.since >= before && outage.since <= new Date().toISOString());

  const service = await openHostService(configuration, {
    ...{ logger, host: 'here', vault },
    reception: (component) => receivers.reception(component),
  });
  const [status] = await service.components(COMPONENT);
  assert.equal(status?.state, 'late');
  const [finding] = status?.findings ?? [];
  assert.equal(finding?.message, `the log is not received since ${outage.since}: ${outage.message}`);
  assert.equal(finding?.hint, outage.hint);

  await server.query('create table meanwhile as select 1 as n');
  await setUrl(server.url('postgres', 'another'));
  await waitFor('the end of the outage', () => receivers.reception(COMPONENT).outage === undefined, patient);
  await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(60_000));
  assert.equal(receivers.losses(COMPONENT).count, 0);
});

test('another cluster under the same address is refused by every receiver that follows, and the right one is received again', async (t) => {
  const { server, receivers, flushed } = await hostOf(t, { limits });
  const systemId = receivers.state(COMPONENT)?.systemId;
  await server.stop();
  const other = await startScratchPostgres(t, { major: 17, settings: { port: server.port } });
  const outage = await waitFor(
    'the outage',
    () => {
      const { outage } = receivers.reception(COMPONENT);
      return outage?.code === 'DATABASE_IDENTITY' && outage;
    },
    patient,
  );
  assert.match(outage.message, new RegExp(`is system \\d+, not ${systemId}$`));
  // Who asks now does not wait for minutes, and the receiver that was started for it says the same.
  await assert.rejects(receivers.ensure(COMPONENT), { code: 'SLOT_BUSY', message: new RegExp(`not ${systemId}$`) });
  const logs = await readdir(path.join(other.dataDirectory, 'pg_replslot'));
  assert.deepEqual(logs, [], 'something was made on the other cluster');
  await other.stop();
  await server.start();
  await waitFor('the end of the outage', () => receivers.reception(COMPONENT).outage === undefined, patient);
  await receivers.drain(COMPONENT, 1, await flushed(), AbortSignal.timeout(60_000));
});

test('other log on a copy under the name of ours is not passed over by the next receiver, before it is gone', async (t) => {
  const { server, made, vault, stop, receivers, flushed } = await hostOf(t, { copies: ['local', 'us'] });
  const systemId = receivers.state(COMPONENT)?.systemId ?? '';
  await stop();
  // Only whole segments are sent, so that nothing of ours lies beside the foreign one.
  const begin = async (foreign?: Extract<ReceiverEvent, { type: 'failed' }>['foreign']) => {
    const events: ReceiverEvent[] = [];
    const receiver = startReceiver({
      ...{ source: { component: COMPONENT, url: server.url() }, component: COMPONENT, slot, vault, logger },
      ...{ policy: vault.policy, copies: vault.copies, stateDirectory: await temporaryDirectory(t) },
      ...{ flushEveryMs: 3_600_000, flushBytes: 2 ** 30, ...(foreign === undefined ? {} : { foreign }) },
      onEvent: (event) => events.push(event),
    });
    t.after(() => receiver.stop());
    const failed = () => events.find((event) => event.type === 'failed');
    return { receiver, failed };
  };
  const first = await begin();
  await waitFor('the stream', () => first.receiver.state().phase === 'streaming', patient);
  const size = 1024 * 1024;
  const at = lsnValue(await flushed());
  const start = at - (at % BigInt(size)) + BigInt(2 * size);
  const bytes = Buffer.alloc(size, 7);
  const us = vault.log(COMPONENT, systemId, 'us');
  await us.putSegment(
    {
      timeline: 1,
      segmentSizeBytes: size,
      fromLsn: lsnFrom(start),
      toLsn: lsnFrom(start + BigInt(size)),
      sha256: createHash('sha256').update(bytes).digest('hex'),
      restorePoints: [],
    },
    bytes,
  );
  const [foreignObject] = (await us.list()).objects.filter((o) => o.kind === 'segment' && o.fromLsn === lsnFrom(start));
  for (let segment = 0; segment < 4; segment += 1) {
    await server.query(`select pg_logical_emit_message(false, 'filler', repeat('x', 10000)); select pg_switch_wal()`);
  }
  const { foreign } = await waitFor('the alarm', first.failed, patient);
  assert.equal(foreign?.copy, 'us');
  assert.equal(foreign?.key, foreignObject?.key);
  assert.equal(first.receiver.state().error?.code, 'OBJECT_EXISTS');
  await first.receiver.stop();

  const second = await begin(foreign);
  await waitFor('the alarm again', second.failed, patient);
  await second.receiver.stop();

  await rm(path.join(made.path('us'), foreign?.key ?? ''));
  const third = await begin(foreign);
  const end = start + BigInt(size);
  await third.receiver.waitFor('us', 1, lsnFrom(end), AbortSignal.timeout(120_000));
  assert.equal(third.failed(), undefined);
  const [mine, ...rest] = await archivedRuns(us, 1);
  const [theirs] = await archivedRuns(vault.log(COMPONENT, systemId, 'local'), 1);
  assert.equal(rest.length, 0);
  const both = Math.min(mine?.bytes.length ?? 0, theirs?.bytes.length ?? 0);
  assert.ok(mine?.bytes.subarray(0, both).equals(theirs?.bytes.subarray(0, both) ?? Buffer.alloc(0)));
});
