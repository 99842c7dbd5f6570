// What restores have left, by journals and processes on the data's own host and by records elsewhere.

import assert from 'node:assert/strict';
import { mkdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import type { ComponentStatus, OpenRestore } from '../../../src/domain/component-report.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { HoldfastError } from '../../../src/errors/index.ts';
import { notKnownFinding, openRestores, restoreFinding } from '../../../src/host/open-restores.ts';
import type { RunRecords } from '../../../src/host/run-records.ts';
import { withRestores } from '../../../src/host/status-additions.ts';
import { cloneDirectory, restorePaths } from '../../../src/postgres/recovery/index.ts';
import { holdLock, start } from '../../../src/process/index.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const run = 'restore-3f9a1c2b';
const now = new Date('2026-11-25T12:00:00.000Z');
const here = { host: 'db1', estate: 'acme', now };
const elsewhere = { host: 'office', estate: 'acme', now };
const id = 'database/main';
const owner = { estate: 'acme', component: id };

const records = (...runs: RunStatus[]): RunRecords => ({ runs, parts: [], unread: [] });
const fine = {
  component: 'database/main',
  host: 'db1',
  state: 'ok',
  copies: [],
  rpo: {},
  findings: [],
} as ComponentStatus;

/** All of it: fails when anything could not be looked for. */
async function found(...asked: Parameters<typeof openRestores>) {
  const left = await openRestores(...asked);
  assert.deepEqual(left.notKnown, []);
  return left.found;
}

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
  return { id, host: 'db1', dataDirectory } as const;
}

/** Wherever it is told to be, and at the default place of the component; its work directory is there. */
async function cloneOf(t: TestContext, lines: readonly string[], head: object = { ...owner, throwaway: true }) {
  const main = await journalOf(t, []);
  const place = cloneDirectory(main.dataDirectory);
  const { journal, work } = restorePaths(place, 'part-3f9a1c2b');
  await mkdir(path.dirname(journal), { recursive: true });
  await mkdir(work, { recursive: true });
  const text = lines.map((line, index) => {
    const [step, state, at] = line.split(' ');
    const data = index === 0 ? { data: { mode: 'beside', dataDirectory: place, ...head } } : {};
    return JSON.stringify({ at: `2026-11-25T${at}.000Z`, run: 'part-3f9a1c2b', token: 1, step, state, ...data });
  });
  await writeFile(journal, text.map((line) => `${line}\n`).join(''));
  return { ...main, place, work };
}

const plan = { mode: 'in place', dataDirectory: '/srv/main', keepOldAt: '/srv/main.before' };
const database = { id, host: 'db1', dataDirectory: '/srv/main' } as const;
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

test('a swap that nobody confirmed is told with its time and with where the old data is', async (t) => {
  const lines = ['plan done 10:00:00', 'swap begin 10:01:00', 'swap done 10:02:00', 'verify done 10:03:00'];
  const database = await journalOf(t, lines);
  const { dataDirectory } = database;
  const left = await found(database, records(), here);
  const keptAt = `${dataDirectory}.before`;
  assert.deepEqual(left, [{ run, state: 'unconfirmed', dataDirectory, since: '2026-11-25T10:02:00.000Z', keptAt }]);
  const { severity, message, hint } = restoreFinding(left[0] as OpenRestore);
  assert.equal(severity, 'warning');
  assert.ok(message.includes(run) && message.includes(keptAt) && message.includes('2026-11-25T10:02:00Z'));
  assert.match(hint, /holdfast confirm .*holdfast rollback/);
});

test('what was confirmed, rolled back or abandoned is over', async (t) => {
  for (const end of ['confirm', 'rollback', 'abandon']) {
    const database = await journalOf(t, ['plan done 10:00:00', 'swap done 10:02:00', `${end} done 10:05:00`]);
    assert.deepEqual(await found(database, records(), here), [], end);
  }
});

test('one that stopped in the middle is an alarm, but not while somebody is at it', async (t) => {
  const database = await journalOf(t, ['plan done 10:00:00', 'swap begin 10:01:00', 'keep old begin 10:02:00']);
  const [stopped] = await found(database, records(), here);
  assert.deepEqual(
    [stopped?.state, stopped?.phase, stopped?.since],
    ['stopped', 'swapping', '2026-11-25T10:02:00.000Z'],
  );
  const { severity, hint } = restoreFinding(stopped as OpenRestore);
  assert.equal(severity, 'late');
  assert.match(hint, /holdfast resume .* --standalone.* holdfast rollback|resume .*rollback/);

  const lock = await holdLock(restorePaths(database.dataDirectory, run).lock);
  assert.deepEqual(await found(database, records(), here), [], 'the lock is held');
  await lock.release();
  const soon = { ...here, now: new Date('2026-11-25T10:02:30.000Z') };
  assert.deepEqual(await found(database, records(), soon), [], 'between two steps nobody holds it');
  assert.equal((await found(database, records(), here)).length, 1);
});

test('what was recovered for a while and is nobody’s any more is told, by its journal and not by its name', async (t) => {
  const lines = ['plan done 10:00:00', 'recover begin 10:01:00'];
  const database = await cloneOf(t, lines);
  const [left] = await found(database, records(), here);
  const { data } = restorePaths(database.place, 'part-3f9a1c2b');
  assert.deepEqual(left, {
    run: 'part-3f9a1c2b',
    state: 'left',
    dataDirectory: data,
    since: '2026-11-25T10:01:00.000Z',
  });
  const { severity, message, hint } = restoreFinding(left as OpenRestore);
  assert.deepEqual([severity, message.includes(data)], ['warning', true]);
  assert.match(hint, /holdfast stop part-3f9a1c2b/);

  const lock = await holdLock(restorePaths(database.place, 'part-3f9a1c2b').lock);
  assert.deepEqual(await found(database, records(), here), [], 'somebody is at it');
  await lock.release();
  await rm(database.work, { recursive: true });
  assert.deepEqual(await found(database, records(), here), [], 'nothing is there any more');

  const kept = await cloneOf(t, lines, owner);
  assert.deepEqual(await found(kept, records(), here), [], 'one that was to stay');
  const removed = await cloneOf(t, [...lines, 'abandon done 10:02:00']);
  assert.deepEqual(await found(removed, records(), here), []);
});

test('one that was told to be elsewhere is found by the plan that its run has kept', async (t) => {
  const { place } = await cloneOf(t, ['plan done 10:00:00']);
  const parts = [{ run: 'part-3f9a1c2b', component: 'database/main', dataDirectory: place }] as const;
  const other = { id, host: 'db1', dataDirectory: '/srv/nowhere' } as const;
  assert.deepEqual(
    (await found(other, { ...records(), parts }, here)).map(({ state }) => state),
    ['left'],
  );
  const stuck = status('restorePart', '2026-11-25', {
    state: 'stuck',
    data: { partPlan: { recovery: { dataDirectory: place } } },
  });
  assert.equal((await found(other, records(stuck), here)).length, 1);
  assert.deepEqual(await found(other, { ...records(stuck), parts }, elsewhere), [], 'only its host can know');
});

test('what another component, or another estate, recovers in the same place is none of ours', async (t) => {
  const lines = ['plan done 10:00:00', 'recover begin 10:01:00'];
  for (const other of [{ component: 'database/other' }, { estate: 'other' }]) {
    const shared = await cloneOf(t, lines, { ...owner, ...other, throwaway: true });
    assert.deepEqual(await found(shared, records(), here), []);
  }
});

test('a work directory without a journal is told once nobody is at it, at the own place or where the run was told to be', async (t) => {
  const { id: _, place, work, ...main } = await cloneOf(t, []);
  const own = { id, ...main } as const;
  const old = new Date(now.getTime() - 120_000);
  await utimes(work, old, old);
  await rm(restorePaths(place, 'part-3f9a1c2b').journal);
  assert.deepEqual(await found(own, records(), here), [
    {
      run: 'part-3f9a1c2b',
      state: 'left',
      dataDirectory: restorePaths(place, 'part-3f9a1c2b').data,
      since: old.toISOString(),
      withoutJournal: true,
    },
  ]);
  const [stray] = await found(own, records(), here);
  const { hint } = restoreFinding(stray as OpenRestore);
  assert.ok(hint.includes('`holdfast stop part-3f9a1c2b`') && hint.includes(`remove '${work}' by hand`), hint);
  const other = { id, host: 'db1', dataDirectory: '/srv/nowhere' } as const;
  const parts = (run: string) => [{ run, component: id, dataDirectory: place }] as const;
  assert.equal((await found(other, { ...records(), parts: parts('part-3f9a1c2b') }, here)).length, 1);
  assert.deepEqual(await found(other, { ...records(), parts: parts('part-00000001') }, here), [], 'of somebody else');
  await utimes(work, now, now);
  assert.deepEqual(await found(own, records(), here), [], 'it was just made');
  await utimes(work, old, old);
  const lock = await holdLock(restorePaths(place, 'part-3f9a1c2b').lock);
  assert.deepEqual(await found(own, records(), here), [], 'somebody is at it');
  await lock.release();
});

test('any number of looks at once find one that stopped, and write nothing into its lock', async (t) => {
  const database = await journalOf(t, ['plan done 10:00:00', 'swap begin 10:01:00']);
  const { lock } = restorePaths(database.dataDirectory, run);
  await writeFile(lock, 'the last holder\n');
  // Another look, which lasts.
  const other = await start('flock', ['--shared', '--no-fork', lock, 'sh', '-c', 'echo looking; exec cat']);
  t.after(async () => {
    other.stdin?.end();
    await other.finished;
  });
  await new Promise((resolve) => other.stdout?.once('data', resolve));
  const looks = await Promise.all(Array.from({ length: 6 }, () => found(database, records(), here)));
  assert.deepEqual(
    looks.map((left) => left.map(({ state }) => state)),
    Array.from({ length: 6 }, () => ['stopped']),
  );
  assert.equal(await readFile(lock, 'utf8'), 'the last holder\n');
});

test('a journal that cannot be read is an alarm, and the state is unknown', async (t) => {
  const database = await journalOf(t, ['plan done 10:00:00', 'swap done 10:02:00']);
  const { journal } = restorePaths(database.dataDirectory, run);
  await writeFile(journal, '{"step":"plan"}\n{"st\n{"step":"swap"}\n');
  const told = withRestores(fine, await openRestores(database, records(), here));
  assert.equal(told.state, 'unknown');
  assert.equal(told.restores, undefined);
  const [finding] = told.findings;
  assert.equal(finding?.severity, 'late');
  assert.ok(finding?.message.includes(`line 2 of '${journal}' cannot be read`));
  assert.equal(told.restoresUnknown?.length, 1);
});

test('a clone that cannot be looked at hides no swap that stopped, and is a warning', async (t) => {
  const database = await journalOf(t, ['plan done 10:00:00', 'swap begin 10:01:00']);
  // A directory that cannot be entered, also by root.
  const clone = { mode: 'beside', start: true, dataDirectory: path.join(await temporaryDirectory(t), 'clone') };
  await symlink(clone.dataDirectory, clone.dataDirectory);
  const left = await openRestores(
    database,
    records(status('restoreDatabase', '2026-11-24', { data: { plan: clone } })),
    here,
  );
  assert.deepEqual(
    left.found.map(({ state }) => state),
    ['stopped'],
  );
  const told = withRestores(fine, left);
  assert.equal(told.state, 'late');
  assert.equal(told.restores?.length, 1);
  assert.deepEqual(
    told.findings.map(({ severity }) => severity),
    ['late', 'warning'],
  );
  assert.ok(told.findings[1]?.message.includes(clone.dataDirectory));

  const alone = withRestores(fine, { ...left, found: [] });
  assert.deepEqual([alone.state, alone.restores], ['ok', undefined]);
  assert.ok(alone.restoresUnknown?.[0]?.includes(clone.dataDirectory));
  assert.deepEqual(withRestores(fine, { found: [], notKnown: [] }).restores, []);
});

test('records that cannot be read hide no others, and are told', async (t) => {
  const error = new HoldfastError('OBJECT_DAMAGED', 'its bytes are others');
  const unreadOf = (name: string, storedAt: string) => ({ record: { run: name, storedAt: new Date(storedAt) }, error });
  const damaged = { runs: [swapped], parts: [], unread: [unreadOf('confirm-1', '2026-11-25')] };
  const left = await openRestores(database, damaged, elsewhere);
  assert.deepEqual(
    left.found.map(({ state }) => state),
    ['unconfirmed'],
  );
  assert.equal(withRestores(fine, left).state, 'unknown');
  const { message, hint } = notKnownFinding(left.notKnown[0] ?? assert.fail());
  assert.ok(message.includes('the record of confirm-1: its bytes are others'));
  assert.match(hint, /journals on host 'db1'/);

  const none = withRestores(
    fine,
    await openRestores(database, { runs: [], parts: [], unread: [{ error }] }, elsewhere),
  );
  assert.deepEqual([none.state, none.restores], ['unknown', undefined]);

  const before = { runs: [swapped], parts: [], unread: [unreadOf('restore-1', '2026-11-20')] };
  assert.deepEqual((await openRestores(database, before, elsewhere)).notKnown, [], 'the next restore was let begin');

  const own = await journalOf(t, ['plan done 10:00:00', 'swap done 10:02:00', 'confirm done 10:05:00']);
  const serving = await openRestores(own, { runs: [], parts: [], unread: [unreadOf('restore-1', '2026-11-20')] }, here);
  assert.deepEqual(
    serving.notKnown.map(({ of }) => of),
    ['server'],
  );
  assert.equal(withRestores(fine, serving).state, 'ok');
  assert.equal(withRestores(fine, serving).restores, undefined);
  assert.deepEqual((await openRestores(own, damaged, here)).notKnown, [], 'a confirmation leaves no server');
});

test('a restore beside that is stuck hides no swap that nobody confirmed', async () => {
  const beside = { mode: 'beside', dataDirectory: '/srv/clone' };
  const stuck = status('restoreDatabase', '2026-11-25', { state: 'stuck', data: { plan: beside } });
  assert.deepEqual(
    (await found(database, records(stuck, swapped), elsewhere)).map((each) => [each.run, each.state]),
    [[swapped.run, 'unconfirmed']],
  );
  assert.deepEqual(await found(database, records(stuck), elsewhere), []);
});

test('from another host the records tell: the newest that was swapped, and whether it was ended since', async () => {
  const refused = status('restoreDatabase', '2026-11-25', { state: 'refused', data: { plan } });
  const left = await found(database, records(refused, swapped), elsewhere);
  assert.deepEqual(
    left.map((each) => [each.run, each.state, each.keptAt]),
    [[swapped.run, 'unconfirmed', '/srv/main.before']],
  );
  const stuck = { ...swapped, state: 'stuck' } as RunStatus;
  assert.equal((await found(database, records(stuck), elsewhere))[0]?.state, 'stopped');
  for (const operation of ['confirmRestore', 'rollbackRestore']) {
    const end = status(operation, '2026-11-25');
    assert.deepEqual(await found(database, records(end, swapped), elsewhere), []);
    const failed = { ...end, state: 'failed' } as RunStatus;
    assert.equal((await found(database, records(failed, swapped), elsewhere)).length, 1);
    assert.equal((await found(database, records(swapped, status(operation, '2026-11-20')), elsewhere)).length, 1);
  }
});
