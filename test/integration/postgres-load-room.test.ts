// What a load takes of disks: counted while it is planned, looked at again when it starts, and given back.

import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import {
  fetchDump,
  type LoadRequest,
  loadDump,
  planLoad,
  requirePlan,
  type Wanted,
} from '../../src/postgres/logical/load/index.ts';
import { asked, databases, dumped, withFree } from '../support/loaded-dump.ts';
import { inDatabase, makeRichDatabase } from '../support/rich-database.ts';
import { startScratchPostgres } from '../support/scratch-postgres.ts';

test('the dump counts with the database on one disk, again when the load starts, and what a run has fetched is no room that is lacking', async (t) => {
  const server = await startScratchPostgres(t, { major: 17 });
  await makeRichDatabase(server, 'bank');
  const { contextOf, spoolDirectory } = await dumped(t, server);
  const context = contextOf(server);
  const request = asked({ into: 'again' });
  const { room, bytes } = await planLoad(request, context);
  const needed = Number(room?.places[0]?.neededBytes);
  assert.ok(bytes > 0 && needed > bytes, JSON.stringify(room));
  const codesOf = async (free: Readonly<Record<string, number>>, of = request) =>
    await withFree(free, async () => ((await planLoad(of, context)).blockers ?? []).map(({ code }) => code));

  // Each alone has the room that it needs.
  assert.deepEqual(await codesOf({ [server.directory]: needed - 1, [spoolDirectory]: bytes }), ['NO_SPACE']);
  assert.deepEqual(await codesOf({ [server.directory]: needed, [spoolDirectory]: bytes }), []);
  assert.deepEqual(await codesOf({ [server.directory]: needed, [spoolDirectory]: bytes - 1 }), ['NO_SPACE']);

  const left = path.join(spoolDirectory, 'load-0fffffff');
  await mkdir(left);
  await writeFile(path.join(left, '4711.dat.gz'), Buffer.alloc(bytes));
  const full = { [server.directory]: needed - bytes, [spoolDirectory]: 0 };
  assert.deepEqual(await codesOf(full), [], 'what another run has left goes first');
  const plan = await withFree(full, () => planLoad(request, context));
  await withFree(full, () => requirePlan(request, context, plan));
  await fetchDump(request, context, plan);
  assert.deepEqual(await readdir(spoolDirectory), [request.run]);
  // Killed when everything was there: the next attempt looks again.
  await withFree(full, () => requirePlan(request, context, plan));

  await withFree({ [server.directory]: needed - bytes - 1 }, () =>
    assert.rejects(loadDump(request, context, plan), {
      code: 'NO_SPACE',
      message: /^production needs [\d.]+ MiB for tablespace pg_default, log, and /,
    }),
  );
  assert.deepEqual(await databases(server), ['bank', 'postgres']);
  const { into } = await withFree({ [server.directory]: needed - bytes }, () => loadDump(request, context, plan));
  assert.equal(into, 'again');
});

test('what a schema or a table takes is counted too, twice where its database is there, and a disk that is too small is named once', async (t) => {
  const server = await startScratchPostgres(t, { major: 17 });
  await makeRichDatabase(server, 'bank');
  const { contextOf, spoolDirectory } = await dumped(t, server);
  const context = contextOf(server);
  const wanted: Wanted = { type: 'table', schema: 'ledger', table: 'entries' };
  const placeOf = async (changes: Partial<LoadRequest>) => {
    const { room, bytes } = await planLoad(asked({ wanted, ...changes }), context);
    const [place, ...others] = room?.places ?? [];
    assert.deepEqual([place?.of, others], [['tablespace pg_default', 'log', 'the dump'], []]);
    return { needed: Number(place?.neededBytes), bytes };
  };
  const [size] = await server.query("select pg_database_size('bank')::text as bank");
  const whole = await placeOf({ wanted: { type: 'database' }, into: 'again' });
  assert.ok(whole.needed > Number(size?.bank) + whole.bytes, `${whole.needed} of ${size?.bank}`);
  const once = await placeOf({ into: 'entries' });
  await inDatabase(server, 'bank', 'drop table ledger.entries cascade');
  const twice = await placeOf({});
  const named = await placeOf({ as: { schema: 'public', table: 'then' } });
  assert.ok(once.needed > once.bytes && once.needed < whole.needed, `${once.needed}`);
  // It is a part of the database, and what the server and its log take of that part comes a second time.
  assert.ok(twice.needed > once.needed && twice.needed < whole.needed + once.needed, `${twice.needed} ${once.needed}`);
  assert.equal(named.needed, twice.needed + named.bytes, 'taken out of the passing database, it lies there once more');

  const blockersOf = async (free: Readonly<Record<string, number>>) =>
    await withFree(free, async () => (await planLoad(asked({ wanted }), context)).blockers ?? []);
  const crowded = await blockersOf({ [server.directory]: twice.needed - 1, [spoolDirectory]: 0 });
  assert.deepEqual(
    crowded.map(({ code }) => code),
    ['NO_SPACE'],
  );
  assert.match(crowded[0]?.message ?? '', /^production needs .* for tablespace pg_default, log, the dump, and /);
  const enough = { [server.directory]: twice.needed, [spoolDirectory]: twice.bytes };
  assert.deepEqual(await blockersOf(enough), []);

  const request = asked({ wanted });
  const plan = await planLoad(request, context);
  await fetchDump(request, context, plan);
  const full = { [server.directory]: twice.needed - twice.bytes - 1 };
  await withFree(full, () => assert.rejects(loadDump(request, context, plan), { code: 'NO_SPACE' }));
  assert.deepEqual(await databases(server), ['bank', 'postgres']);
  assert.equal((await loadDump(request, context, plan)).rows, 10_000);
});

test('the list that a plan looked at is removed with it, and with the next one where its process died', async (t) => {
  const server = await startScratchPostgres(t, { major: 17 });
  await server.query('create database bank');
  const { contextOf, spoolDirectory } = await dumped(t, server);
  const context = contextOf(server);
  const parent = `${spoolDirectory}-plan`;
  await planLoad(asked({ into: 'again' }), context);
  assert.deepEqual(await readdir(parent), []);
  const left = path.join(parent, 'list-aaaaaa');
  await mkdir(left);
  await writeFile(path.join(left, 'globals.sql'), 'secret');
  const old = new Date(Date.now() - 3_600_000);
  await utimes(left, old, old);
  await planLoad(asked({ into: 'again' }), context);
  assert.deepEqual(await readdir(parent), []);
});
