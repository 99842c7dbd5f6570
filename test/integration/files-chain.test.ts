// Files through Temporal on real components: captured, listed, given back beside and in place, rolled back, confirmed; an estate without a database.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { before, test } from 'node:test';
import { pino } from 'pino';
import type { FilesSettings } from '../../config/index.ts';
import type { Result } from '../../src/cli/result.ts';
import type { RunHandle } from '../../src/domain/client.ts';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import type { FilesPlan, FilesRestored } from '../../src/domain/files-restore.ts';
import { afterNow } from '../../src/files/in-place/file-system-clock.ts';
import { openConfiguredVault } from '../../src/host/open-vault.ts';
import { compareFiles } from '../../src/host/restore-files.ts';
import { openStandaloneRestores } from '../../src/host/standalone.ts';
import { holdLock, run } from '../../src/process/index.ts';
import { typeHoldfast } from '../support/command-line.ts';
import { wholeFile } from '../support/components.ts';
import { copyTree, differences, makeAwkwardTree } from '../support/file-trees.ts';
import { openEstate } from '../support/temporal-estate.ts';

const estate = await openEstate(
  wholeFile,
  { approval: 'always' },
  (directory) => `files:
  uploads:
    host: here
    roots: [${directory}/uploads, ${directory}/more]
    exclude: ['*.tmp']
    backup: { snapshot: every 1h, rate: 500MB/s }
    hooks: { before: [${directory}/hook, before], after: [${directory}/hook, after] }
    keep: 90d
    objective: { rpo: 1h }
`,
);
const { client, directory, configuration } = estate;
const at = (...names: string[]) => path.join(directory, ...names);
const { name, digest } = configuration;
const input = { estate: name, component: 'files/uploads', host: 'here', digest, by: 'test@here' } as const;
const restoring = { ...input, to: 'latest', approval: 'always', approveWithinSeconds: 600 } as const;
const ended = (handle: RunHandle) => client.follow(handle, () => undefined);
let first: SnapshotSummary;

/** Starts it, approves what it plans, and waits for its end. */
async function approved(handle: RunHandle) {
  return await client.follow(handle, (status) => {
    const shown = (status.data?.filesPlan as FilesPlan | undefined)?.digest;
    if (status.state === 'waiting' && shown !== undefined) {
      // Asked again for the same: the second time it is decided already.
      client.approve(status.run, shown, 'somebody@else').catch(() => undefined);
    }
  });
}

before(async () => {
  await mkdir(at('uploads'));
  await makeAwkwardTree(at('uploads'));
  await mkdir(at('more'));
  await writeFile(at('more', 'one'), 'one');
  await writeFile(at('more', 'scratch.tmp'), 'left out');
  await writeFile(at('hook'), `#!/bin/sh\necho "$1" >> ${at('hooks.log')}\n`, { mode: 0o755 });
});

test('a snapshot is taken with its hooks around it, on every copy, and is what status and schedules speak of', async () => {
  assert.ok((await client.check('files/uploads')).ok);
  const status = await ended(await client.startFilesBackup(input));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  first = status.data?.snapshot as SnapshotSummary;
  assert.deepEqual([first.kind, first.state, first.copies], ['files', 'clean', { local: 'present', eu: 'present' }]);
  assert.ok((first.files?.files ?? 0) > 10);
  assert.equal(await readFile(at('hooks.log'), 'utf8'), 'before\nafter\n');
  assert.deepEqual(await client.snapshots('files/uploads'), [first]);
  const [component] = await client.components();
  assert.equal(component?.component, 'files/uploads');
  assert.deepEqual([component?.window?.snapshots, component?.window?.to], [1, first.from]);
  assert.ok((component?.rpo.nowSeconds ?? -1) >= 0);
  assert.deepEqual(component?.restores, []);
  const [change] = await client.applySchedules({ dryRun: true });
  assert.match(change?.id ?? '', /backup\/files\/uploads\/snapshot$/);
});

test('what failed in a hook fails the backup, and the hook after it runs all the same', async () => {
  await writeFile(at('hook'), `#!/bin/sh\necho "$1" >> ${at('hooks.log')}\n[ "$1" = after ]\n`, { mode: 0o755 });
  const handle = await client.startFilesBackup(input);
  const status = await client.follow(handle, ({ steps }) => {
    // It is tried again and again: somebody mends the hook.
    if (steps.some(({ note }) => note?.includes("the hook 'before' failed") === true)) {
      writeFile(at('hook'), `#!/bin/sh\necho "$1" >> ${at('hooks.log')}\n`, { mode: 0o755 }).catch(() => undefined);
    }
  });
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const calls = (await readFile(at('hooks.log'), 'utf8')).split('\n').slice(2, 6);
  assert.deepEqual(calls, ['before', 'after', 'before', 'after']);
});

test('everything comes back beside, and is compared; what is occupied is refused', async () => {
  const beside = { directory: at('look') };
  const status = await ended(await client.startFilesRestore({ ...restoring, approval: 'never', beside }));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const restored = status.data?.filesRestored as FilesRestored;
  assert.ok(restored.compared.entries > 10);
  assert.equal(restored.compared.differing.count, 0);
  assert.deepEqual(await differences(at('uploads'), path.join(at('look'), at('uploads'))), []);
  assert.deepEqual(await readdir(path.join(at('look'), at('more'))), ['one']);
  const again = await ended(await client.startFilesRestore({ ...restoring, approval: 'never', beside }));
  assert.deepEqual([again.state, again.error?.code], ['refused', 'TARGET_UNFIT']);
});

test('one path of an earlier snapshot comes back beside, and nothing that is not there', async () => {
  const asked = { ...restoring, approval: 'never', to: `snapshot:${first.id}` } as const;
  const paths = [at('uploads', 'plain', 'deep')];
  const status = await ended(await client.startFilesRestore({ ...asked, paths, beside: { directory: at('part') } }));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  assert.deepEqual(await readdir(path.join(at('part'), at('uploads'))), ['plain']);
  assert.deepEqual(await readdir(path.join(at('part'), at('uploads', 'plain'))), ['deep']);
  const none = await ended(
    await client.startFilesRestore({ ...asked, paths: ['/nowhere'], beside: { directory: at('none') } }),
  );
  assert.deepEqual([none.state, none.error?.code], ['refused', 'NOT_FOUND']);
  await assert.rejects(client.planFiles({ ...asked, to: '2001-01-01T00:00:00Z' }), { code: 'TARGET_OUTSIDE' });
});

test('in place, by a plan that somebody approves: changed, gone and new names; back by one rollback', async () => {
  const before = await copyTree(at('uploads'), at('as-it-was'));
  await appendFile(at('uploads', 'plain', 'small'), 'changed');
  await rm(at('uploads', 'plain', 'deep', 'large'));
  await writeFile(at('uploads', 'new'), 'came later');
  const changed = await copyTree(at('uploads'), at('as-it-became'));
  const plan = await client.planFiles(restoring);
  const listed = plan.changes?.first.map(({ kind, path: name }) => `${kind} ${path.relative(at('uploads'), name)}`);
  assert.ok(listed?.includes('create plain/deep/large'));
  assert.ok(listed?.includes('remove new'));
  const status = await approved(await client.startFilesRestore(restoring));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  assert.deepEqual(await differences(before, at('uploads')), []);
  const [component] = await client.components();
  assert.deepEqual(
    component?.restores?.map(({ run, state }) => [run, state]),
    [[status.run, 'unconfirmed']],
  );
  await assertComparisonFails(status.data?.filesPlan as FilesPlan);
  // Another one is refused until there was a word.
  assert.equal((await client.planFiles(restoring)).blockers?.[0]?.code, 'TARGET_UNFIT');
  const back = await ended(await client.startRollback({ ...input, run: status.run }));
  assert.equal(back.state, 'completed', JSON.stringify(back, undefined, 1));
  assert.deepEqual(await differences(changed, at('uploads')), []);
  assert.deepEqual((await client.components())[0]?.restores, []);
  await assertToldAsRolledBack(status.run, back.run);
  await assertToldUntilCleared(status.run);
});

/** The lines of a run's journal in the root, changed. */
async function changeJournal(run: string, change: (lines: string[]) => string[]): Promise<() => Promise<void>> {
  const file = at('uploads', '.holdfast', run, 'journal.jsonl');
  const text = await readFile(file, 'utf8');
  await writeFile(file, `${change(text.trimEnd().split('\n')).join('\n')}\n`);
  return () => writeFile(file, text);
}

/** A mode that nobody but the run can have given fails the comparison; the same is told as others' where they may have. */
async function assertComparisonFails(plan: FilesPlan): Promise<void> {
  const logger = pino({ level: 'silent' });
  const vault = await openConfiguredVault(configuration, { host: 'here', logger, purpose: 'restore' });
  const opened = () => Promise.resolve(vault);
  const services = { configuration, host: 'here', logger, vault: opened, reading: opened };
  const compare = () => compareFiles(services, plan, { signal: AbortSignal.timeout(600_000) });
  const { mode } = await stat(at('uploads', 'plain', 'nothing'));
  try {
    assert.ok(((await compare()).entries ?? 0) > 10);
    await chmod(at('uploads', 'plain', 'nothing'), 0o612);
    const { differing } = await compare();
    assert.deepEqual(differing.first, [`${at('uploads', 'plain', 'nothing')} differs in mode`]);
    const later = await afterNow({ directory: at('uploads', '.holdfast', plan.run) });
    const restoreJournal = await changeJournal(plan.run, (lines) =>
      lines.map((line) =>
        line.replace(
          /"(began|from|done)Ns":"\d+","\1At":"[^"]*"/g,
          (_, name: string) => `"${name}Ns":"${later.ns}","${name}At":"${later.at}"`,
        ),
      ),
    );
    await assert.rejects(compare(), {
      code: 'CHECK_FAILED',
      message: /1 names in .* and nobody else has touched them since: .*plain\/nothing differs in mode/,
      hint: new RegExp(`holdfast rollback ${plan.run}`),
    });
    await restoreJournal();
  } finally {
    await chmod(at('uploads', 'plain', 'nothing'), mode & 0o7777);
    await vault.close();
  }
}

/** Also by the vault alone: nothing that is over is said to be next. */
async function assertToldAsRolledBack(restore: string, rollback: string): Promise<void> {
  for (const how of [[], ['--standalone']]) {
    const typed = (...words: string[]) => typeHoldfast(['-c', at('holdfast.yaml'), ...words, ...how]);
    const { text } = await typed('show', restore);
    assert.match(text, new RegExp(`rolled back .* by ${rollback}: what was there before is back`));
    assert.doesNotMatch(text, /next:|is kept in/);
    const shown = (await typed('show', restore, '--json')).json as Result;
    assert.deepEqual([shown.endedBy?.run, shown.endedBy?.operation], [rollback, 'rollbackRestore']);
    const listed = (await typed('history', 'files/uploads', '--json')).json as Result;
    assert.deepEqual(listed.runs?.find(({ id }) => id === restore)?.endedBy, shown.endedBy);
    assert.doesNotMatch((await typed('history', 'files/uploads')).text, /kept until/);
  }
}

/** As after a mount that stood in the way, or a death, however short ago: what is kept is not wholly removed. */
async function assertToldUntilCleared(run: string): Promise<void> {
  const now = new Date(Date.now() + 600_000).toISOString();
  await changeJournal(run, (lines) =>
    lines
      .filter((line) => !/"step":"clear","state":"done"/.test(line))
      .map((line) => line.replace(/"at":"[^"]*"/, `"at":"${now}"`)),
  );
  await mkdir(at('uploads', '.holdfast', run, 'old'), { recursive: true });
  await writeFile(at('uploads', '.holdfast', run, 'old', 'rest'), 'takes room');
  const [component] = await client.components();
  assert.deepEqual(
    component?.restores?.map((each) => [each.run, each.state, each.phase]),
    [[run, 'uncleared', 'rolled back']],
  );
  const told = component?.findings.find(({ message }) => /is not wholly removed/.test(message));
  assert.match(told?.hint ?? '', new RegExp(`holdfast rollback ${run}`));
  const alone = (...words: string[]) =>
    typeHoldfast(['-c', at('holdfast.yaml'), ...words, 'files/uploads', '--standalone', '--dry-run']);
  assert.match((await alone('rollback')).text, new RegExp(`${run} .*; this removes the rest of what it kept`));
  assert.match((await alone('confirm')).errors, /NOT_FOUND/);
  const lock = await holdLock(at('uploads', '.holdfast', 'lock'));
  assert.deepEqual((await client.components())[0]?.restores, [], 'somebody is at it');
  await lock.release();
  const again = await ended(await client.startRollback({ ...input, run }));
  assert.equal(again.state, 'completed', JSON.stringify(again, undefined, 1));
  assert.deepEqual(await readdir(at('uploads', '.holdfast', run)), ['journal.jsonl']);
  assert.deepEqual((await client.components())[0]?.restores, []);
}

test('without Temporal: undone by the journals in the roots, and a run that nobody knows is told', async () => {
  const status = await approved(await client.startFilesRestore(restoring));
  // One whose root cannot be looked at stands in nobody else's way.
  await symlink(at('loop'), at('loop'));
  const { uploads } = configuration.files;
  const broken = { ...(uploads as FilesSettings), id: 'files/aaa', name: 'aaa', roots: [at('loop')] } as const;
  const alone = openStandaloneRestores(
    { ...configuration, files: { aaa: broken, ...configuration.files } },
    { logger: pino({ level: 'silent' }), by: 'test', host: 'here' },
  );
  try {
    const found = (await alone.list('files/uploads')).at(-1);
    assert.deepEqual([found?.run, found?.phase], [status.run, 'swapped']);
    await assert.rejects(alone.rollback('restore-00000000'));
    // What somebody is asked to say yes to: there is no server behind files.
    for (const how of [[], ['--standalone']]) {
      const typed = await typeHoldfast(['-c', at('holdfast.yaml'), 'rollback', status.run, '--dry-run', ...how]);
      assert.match(typed.text, /this brings back what was there before; what was written since .* is kept beside it/);
    }
    const back = await alone.rollback(status.run);
    assert.deepEqual([back.state, back.operation], ['completed', 'rollbackRestore']);
    assert.deepEqual(await differences(at('as-it-became'), at('uploads')), []);
    const history = await client.history('files/uploads');
    assert.ok(history.some(({ run }) => run === back.run));
  } finally {
    await alone.close();
  }
});

test('what is not done in every root is not confirmed, and nothing of it is removed', async () => {
  await rm(at('uploads', 'plain', 'small'));
  const inTheWay = createServer().listen(at('uploads', 'plain', 'small'));
  await once(inTheWay, 'listening');
  const status = await approved(await client.startFilesRestore(restoring));
  inTheWay.close();
  const { keptAt = [], warnings = [] } = (status.data?.filesRestored ?? {}) as FilesRestored;
  assert.match(warnings.join('\n'), /1 names are left alone.*plain\/small/);
  assert.match(JSON.stringify(status.data?.warnings), /1 names are left alone/);
  const other = at('more', '.holdfast');
  await rename(other, at('put-away'));
  const confirmed = await ended(await client.startConfirm({ ...input, run: status.run }));
  assert.deepEqual([confirmed.state, confirmed.error?.code], ['refused', 'JOURNAL_STATE']);
  await stat(keptAt.find((kept) => kept.startsWith(at('uploads'))) as string);
  await rename(at('put-away'), other);
  assert.equal((await ended(await client.startRollback({ ...input, run: status.run }))).state, 'completed');
});

test('in place again, and confirmed: what was kept is gone', async () => {
  const status = await approved(await client.startFilesRestore(restoring));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const { keptAt = [] } = (status.data?.filesRestored ?? {}) as FilesRestored;
  await stat(keptAt[0] as string);
  const confirmed = await ended(await client.startConfirm({ ...input, run: status.run }));
  assert.equal(confirmed.state, 'completed', JSON.stringify(confirmed, undefined, 1));
  await assert.rejects(stat(keptAt[0] as string), { code: 'ENOENT' });
  assert.deepEqual(await differences(at('as-it-was'), at('uploads')), []);
  await record();
});

/** With HOLDFAST_RECORD the histories of this run become those that test/replay replays. */
async function record(): Promise<void> {
  if (process.env.HOLDFAST_RECORD === undefined) return;
  const script = path.resolve(import.meta.dirname, '..', '..', 'scripts', 'record-histories.mjs');
  await run(process.execPath, [script, String(configuration.temporal.address), configuration.name], {
    deadlineMs: 60_000,
  });
}
