// What restores have left, by journals and processes on the data's own host and by records elsewhere.

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { OpenRestore } from '../../../src/domain/component-report.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { openRestores, restoreFinding } from '../../../src/host/open-restores.ts';
import { restorePaths } from '../../../src/postgres/recovery/index.ts';
import { holdLock } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const run = 'restore-3f9a1c2b';
const now = new Date('2026-11-25T12:00:00.000Z');
const here = { host: 'db1', now };

/** Lines of a journal as `STEP STATE AT`, the time of the day alone. */
async function journalOf(t: TestContext, lines: readonly string[]) {
  const dataDirectory = path.join(await temporaryDirectory(t), 'main');
  const { journal } = restorePaths(dataDirectory, run);
  await mkdir(path.dirname(journal), { recursive: true });
  const head = { run, mode: 'in place', dataDirectory, keepOldAt: `${dataDirectory}.before` };
  const entries = lines.map((line, index) => {
    const [at, state, ...step] = line.split(' ').reverse();
    const entry = { at: `2026-11-25T${at}.000Z`, run, token: 1, step: step.reverse().join(' '), state };
    return JSON.stringify(index === 0 ? { ...entry, data: head } : entry);
  });
  await writeFile(journal, entries.map((line) => `${line}\n`).join(''));
  return { host: 'db1', dataDirectory };
}

test('a swap that nobody confirmed is told with its time and with where the old data is', async (t) => {
  const lines = ['plan done 10:00:00', 'swap begin 10:01:00', 'swap done 10:02:00', 'verify done 10:03:00'];
  const database = await journalOf(t, lines);
  const { dataDirectory } = database;
  const found = await openRestores(database, [], here);
  const keptAt = `${dataDirectory}.before`;
  assert.deepEqual(found, [{ run, state: 'unconfirmed', dataDirectory, since: '2026-11-25T10:02:00.000Z', keptAt }]);
  const { severity, message, hint } = restoreFinding(found[0] as OpenRestore);
  assert.equal(severity, 'warning');
  assert.ok(message.includes(run) && message.includes(keptAt) && message.includes('2026-11-25T10:02:00Z'));
  assert.match(hint, /holdfast confirm .*holdfast rollback/);
});

test('what was confirmed, rolled back or abandoned is over', async (t) => {
  for (const end of ['confirm', 'rollback', 'abandon']) {
    const database = await journalOf(t, ['plan done 10:00:00', 'swap done 10:02:00', `${end} done 10:05:00`]);
    assert.deepEqual(await openRestores(database, [], here), [], end);
  }
});

test('one that stopped in the middle is an alarm, but not while somebody is at it', async (t) => {
  const database = await journalOf(t, ['plan done 10:00:00', 'swap begin 10:01:00', 'keep old begin 10:02:00']);
  const [stopped] = await openRestores(database, [], here);
  assert.deepEqual(
    [stopped?.state, stopped?.phase, stopped?.since],
    ['stopped', 'swapping', '2026-11-25T10:02:00.000Z'],
  );
  const { severity, hint } = restoreFinding(stopped as OpenRestore);
  assert.equal(severity, 'late');
  assert.match(hint, /holdfast resume .* --standalone.* holdfast rollback|resume .*rollback/);

  const lock = await holdLock(restorePaths(database.dataDirectory, run).lock);
  assert.deepEqual(await openRestores(database, [], here), [], 'the lock is held');
  await lock.release();
  const soon = { host: 'db1', now: new Date('2026-11-25T10:02:30.000Z') };
  assert.deepEqual(await openRestores(database, [], soon), [], 'between two steps nobody holds it');
  assert.equal((await openRestores(database, [], here)).length, 1);
});

test('a journal that cannot be read is no journal without restores', async (t) => {
  const database = await journalOf(t, ['plan done 10:00:00', 'swap done 10:02:00']);
  await writeFile(restorePaths(database.dataDirectory, run).journal, '{"step":"plan"}\n{"st\n{"step":"swap"}\n');
  await assert.rejects(openRestores(database, [], here), { code: 'JOURNAL_STATE' });
});

test('from another host the records tell: the newest that was swapped, and whether it was ended since', async () => {
  const plan = { mode: 'in place', dataDirectory: '/srv/main', keepOldAt: '/srv/main.before' };
  const status = (operation: string, startedAt: string, more: object = {}) =>
    ({
      operation,
      run: `${operation}-${startedAt}`,
      state: 'completed',
      startedAt,
      endedAt: startedAt,
      ...more,
    }) as RunStatus;
  const swapped = status('restoreDatabase', '2026-11-24', { data: { plan } });
  const refused = status('restoreDatabase', '2026-11-25', { state: 'refused', data: { plan } });
  const database = { host: 'db1', dataDirectory: '/srv/main' };
  const elsewhere = { host: 'office', now };
  const found = await openRestores(database, [refused, swapped], elsewhere);
  assert.deepEqual(
    found.map(({ run: id, state, keptAt }) => [id, state, keptAt]),
    [[swapped.run, 'unconfirmed', '/srv/main.before']],
  );
  const stuck = { ...swapped, state: 'stuck' } as RunStatus;
  assert.equal((await openRestores(database, [stuck], elsewhere))[0]?.state, 'stopped');
  for (const operation of ['confirmRestore', 'rollbackRestore']) {
    const end = status(operation, '2026-11-25');
    assert.deepEqual(await openRestores(database, [end, swapped], elsewhere), []);
    const failed = { ...end, state: 'failed' } as RunStatus;
    assert.equal((await openRestores(database, [failed, swapped], elsewhere)).length, 1);
    assert.equal((await openRestores(database, [swapped, status(operation, '2026-11-20')], elsewhere)).length, 1);
  }
});
