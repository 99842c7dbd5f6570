// Damaged pages by relation: a heap, an index and a TOAST table with a bad page each are named with their blocks and the way out.

import assert from 'node:assert/strict';
import { mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { shortMoment } from '../../src/domain/moment.ts';
import { damageWarnings } from '../../src/domain/snapshot-words.ts';
import { summarizeSnapshot } from '../../src/host/snapshot-summary.ts';
import { findDamagedRelations } from '../../src/postgres/backup/damaged-relations.ts';
import { takeBaseBackup } from '../../src/postgres/backup/index.ts';
import type { PhysicalDetails } from '../../src/postgres/types.ts';
import { inDatabase } from '../support/rich-database.ts';
import { giveToServer, startScratchPostgres } from '../support/scratch-postgres.ts';
import { COMPONENT, snapshotId, testVault } from '../support/vault.ts';

const PAGE = 8192;

for (const major of [15, 18]) {
  test(`PostgreSQL ${major}: damaged pages are listed by relation, with blocks and the way out`, async (t) => {
    const server = await startScratchPostgres(t, {
      major,
      initdb: ['--data-checksums'],
      settings: { autovacuum: 'off' },
    });
    const { vault, ...made } = await testVault();
    t.after(() => made[Symbol.asyncDispose]());
    const elsewhere = path.join(server.directory, 'elsewhere');
    await mkdir(elsewhere, { mode: 0o700 });
    await giveToServer(elsewhere);
    await server.query(`create tablespace elsewhere location '${elsewhere}'`);
    await server.query('create database "Shop"');
    await inDatabase(
      server,
      'Shop',
      `create schema "Odd";
      create table "Odd".orders (id int primary key, note text);
      insert into "Odd".orders select n, repeat(md5(n::text), 5) from generate_series(1, 20000) n;
      create table "Odd".items as select n as id from generate_series(1, 20000) n;
      alter table "Odd".items add primary key (id);
      create table bodies (id int, body text) tablespace elsewhere;
      alter table bodies alter column body set storage external;
      insert into bodies select n, repeat(md5(n::text), 2000) from generate_series(1, 30) n`,
    );
    const source = { component: COMPONENT, url: server.url() } as const;
    const backup = (number: number) =>
      takeBaseBackup({
        ...{ source, vault, logger: pino({ level: 'silent' }), signal: new AbortController().signal },
        request: { snapshotId: snapshotId(number), component: COMPONENT, host: 'db1' },
        waitForLog: () => Promise.resolve(),
      });
    const clean = await backup(1);
    assert.equal(summarizeSnapshot(clean).damaged, undefined);

    const [files] = await inDatabase(
      server,
      'Shop',
      `select pg_relation_filepath('"Odd".orders') as heap, pg_relation_filepath('"Odd".items_pkey') as index,
        pg_relation_filepath(reltoastrelid) as toast, reltoastrelid::regclass::text as toast_name,
        pg_relation_filepath('pg_catalog.pg_authid') as shared from pg_class where relname = 'bodies'`,
    );
    await server.query('checkpoint');
    await server.stop();
    const rot = async (file: string, blocks: readonly number[]) => {
      const handle = await open(path.join(server.dataDirectory, file), 'r+');
      for (const block of blocks) await handle.write(Buffer.from('rot'), 0, 3, block * PAGE + 4000);
      await handle.close();
    };
    await rot(files!.heap!, [3, 7, 8, 9]);
    await rot(files!.index!, [5]);
    await rot(files!.toast!, [11]);
    await server.start();

    const damaged = await backup(2);
    assert.equal(damaged.state, 'damaged');
    const { damaged: told, damagedPages } = damaged.engine as PhysicalDetails;
    assert.deepEqual([told?.pages, damagedPages.length], [6, 6]);
    const from = 'beside this one: holdfast restore database/main --to latest';
    const gives = `; latest is every row that the log has, on top of clean snapshot ${clean.id}; an earlier moment (from ${shortMoment(clean.to)} on) lacks all that was written after it`;
    const byName = Object.fromEntries(told!.relations.map((relation) => [relation.name, relation]));
    const heap = byName['"Odd".orders'];
    assert.deepEqual(
      { ...heap, hint: '' },
      {
        database: 'Shop',
        name: '"Odd".orders',
        kind: 'table',
        path: files!.heap,
        blocks: [
          [3, 3],
          [7, 9],
        ],
        hint: '',
      },
    );
    const lost = (name: string) => `the rows of ${name} on these pages are lost here: have the table back ${from}`;
    assert.equal(heap?.hint, `${lost('"Odd".orders')} --database Shop --table Odd.orders --as orders_whole${gives}`);
    const index = byName['"Odd".items_pkey'];
    assert.deepEqual([index?.kind, index?.of, index?.blocks], ['index', '"Odd".items', [[5, 5]]]);
    assert.equal(index?.hint, 'made anew by: REINDEX INDEX CONCURRENTLY "Odd".items_pkey;');
    const toast = byName[files!.toast_name!];
    assert.deepEqual([toast?.kind, toast?.of, toast?.database], ['TOAST table', 'public.bodies', 'Shop']);
    assert.ok(toast?.path.startsWith('pg_tblspc/'), toast?.path);
    assert.equal(
      toast?.hint,
      `${lost('public.bodies')} --database Shop --table public.bodies --as bodies_whole${gives}`,
    );

    const warnings = damageWarnings(summarizeSnapshot(damaged));
    assert.equal(warnings.length, 3);
    assert.ok(
      warnings.includes(
        'damaged pages: index "Odd".items_pkey of "Odd".items in database Shop, block 5; made anew by: REINDEX INDEX CONCURRENTLY "Odd".items_pkey;',
      ),
      warnings.join('\n'),
    );

    // The statement that is told does it; and a file that is nobody's any more is told as such.
    await inDatabase(server, 'Shop', index!.hint.replace('made anew by: ', ''));
    const pages = [
      { path: files!.index!, block: 5 },
      { path: 'base/1/999999', block: 0 },
      { path: 'base/424242/1', block: 0 },
      { path: files!.shared!, block: 2 },
      { path: `${files!.heap}_vm`, block: 0 },
    ];
    const { relations } = await findDamagedRelations(source, pages, undefined);
    assert.deepEqual(
      relations
        .map(({ kind, name, part, hint }) => [kind, name, part, hint])
        .sort((a, b) => `${a[3]}`.localeCompare(`${b[3]}`)),
      [
        ['table', '"Odd".orders', 'visibility map', 'filled again by: VACUUM (DISABLE_PAGE_SKIPPING) "Odd".orders;'],
        ['unknown', undefined, undefined, 'its database is not there, or allows no connections'],
        ['unknown', undefined, undefined, 'no relation has it any more: it was dropped or rewritten meanwhile'],
        ['unknown', undefined, undefined, 'no relation has it any more: it was dropped or rewritten meanwhile'],
        [
          'table',
          'pg_catalog.pg_authid',
          undefined,
          'the catalogue itself: recover the whole database, from a standby or a dump',
        ],
      ],
    );
  });
}
