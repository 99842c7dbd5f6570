// The first pages and roots of indexes: every one of a server that is well can be searched, and one that was damaged on the disk is found.

import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { RecoveryCheck } from '../../../src/domain/run-data.ts';
import { checkIndexRoots } from '../../../src/postgres/recovery/recovered-indexes.ts';
import { type ScratchPostgres, startScratchPostgres } from '../../support/scratch-postgres.ts';

const PAGE = 8192;

async function look(server: ScratchPostgres): Promise<RecoveryCheck | undefined> {
  const recovered = { socketDirectory: server.directory, port: server.port, roles: ['postgres'] };
  return (await checkIndexRoots(recovered, ['postgres']))[0];
}

/** Changes a page with the server down, and gives back how to undo it. */
async function change(file: string, block: number, edit: (page: Buffer) => void): Promise<() => Promise<void>> {
  const handle = await open(file, 'r+');
  const page = Buffer.alloc(PAGE);
  await handle.read(page, 0, PAGE, block * PAGE);
  const before = Buffer.from(page);
  edit(page);
  await handle.write(page, 0, PAGE, block * PAGE);
  await handle.close();
  return async () => {
    const again = await open(file, 'r+');
    await again.write(before, 0, PAGE, block * PAGE);
    await again.close();
  };
}

const methods = ['btree', 'hash', 'gist', 'gin', 'spgist', 'brin'] as const;
const columns: Readonly<Record<(typeof methods)[number], string>> = {
  btree: 'n',
  hash: 'n',
  gist: 'p',
  gin: 'a',
  spgist: 'p',
  brin: 'n',
};

for (const major of [15, 18]) {
  test(`PostgreSQL ${major}: an index whose first page or root is damaged is found, whatever its method`, async (t) => {
    const server = await startScratchPostgres(t, {
      major,
      initdb: ['--data-checksums'],
      settings: { autovacuum: 'off' },
    });
    await server.query('create table things (n int, p point, a int[], t text)');
    await server.query(
      "insert into things select n, point(n, n), array[n], repeat('x', 3000) || n from generate_series(1, 5000) n",
    );
    for (const method of methods)
      await server.query(`create index by_${method} on things using ${method} (${columns[method]})`);
    await server.query('create table nothing (n int primary key)');
    await server.query('create index unfinished on nothing (n) where n > 0');
    // What a concurrent build that failed leaves: an index without a file's content, which the server never searches.
    await server.query('create table twins (n int)');
    await server.query('insert into twins values (1), (1)');
    await assert.rejects(
      server.query('create unique index concurrently twins_once on twins (n)'),
      /could not create unique index/,
    );
    const well = await look(server);
    assert.match(
      well?.value ?? '',
      /^\d+ indexes can be searched; 1 are invalid, as they were: a concurrent build did not end$/,
    );
    assert.equal(well?.ok, true);

    const paths = new Map<string, string>();
    for (const method of methods) {
      const [row] = await server.query(`select pg_relation_filepath('by_${method}') as file`);
      paths.set(method, path.join(server.dataDirectory, row!.file!));
    }
    const [toast] = await server.query(
      "select pg_relation_filepath(i.indexrelid) as file from pg_class c join pg_index i on i.indrelid = c.reltoastrelid where c.relname = 'things'",
    );
    await server.query('create extension pageinspect');
    const [root] = await server.query("select (bt_metap('by_btree')).root::text as block");
    await server.query('drop extension pageinspect');

    const find = async (file: string, block: number, edit: (page: Buffer) => void, expected: RegExp) => {
      await server.stop();
      const undo = await change(file, block, edit);
      await server.start();
      const found = await look(server);
      assert.equal(found?.ok, false, `${expected}`);
      assert.match(found?.value ?? '', expected);
      await server.stop();
      await undo();
      await server.start();
    };
    for (const method of methods)
      await find(
        paths.get(method)!,
        0,
        (page) => page.fill(0),
        new RegExp(`^index public\\.by_${method} of things: its first page is empty$`),
      );
    const tree = paths.get('btree')!;
    await find(tree, Number(root?.block), (page) => page.fill(0), /by_btree of things: its root, block \d+, is empty$/);
    await find(
      tree,
      Number(root?.block),
      (page) => page.write('rot', 4000),
      /its root, block \d+, has a wrong checksum$/,
    );
    await find(
      path.join(server.dataDirectory, toast!.file!),
      0,
      (page) => page.fill(0),
      /^index pg_toast\.pg_toast_\d+_index of pg_toast\.pg_toast_\d+: its first page is empty$/,
    );
    // A page of another index in its place: whole, with a right checksum of its own.
    const other = await open(paths.get('hash')!, 'r');
    const foreign = Buffer.alloc(PAGE);
    await other.read(foreign, 0, PAGE, 0);
    await other.close();
    await find(
      paths.get('gist')!,
      0,
      (page) => foreign.copy(page),
      /by_gist of things: its first page is not that of a GiST index$/,
    );
    assert.equal((await look(server))?.ok, true);
  });
}
