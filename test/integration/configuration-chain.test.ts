// Configuration through Temporal on real components: captured with its history in Git, pushed, compared, drifted, given back in place and beside, rolled back, confirmed; no secret on the way.

import assert from 'node:assert/strict';
import { appendFile, chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';
import { pino } from 'pino';
import type { RunHandle } from '../../src/domain/client.ts';
import type { SnapshotSummary } from '../../src/domain/component-report.ts';
import type { FilesPlan, FilesRestored } from '../../src/domain/files-restore.ts';
import type { PushedHistory } from '../../src/domain/run-data.ts';
import { vaultOptions } from '../../src/host/open-vault.ts';
import { openStandaloneRestores } from '../../src/host/standalone.ts';
import { run } from '../../src/process/index.ts';
import { openVault } from '../../src/vault/index.ts';
import { wholeFile } from '../support/components.ts';
import { git, plantTree } from '../support/configuration-capture.ts';
import { copyTree, differences } from '../support/file-trees.ts';
import { SECRETS, secretsInRepository } from '../support/planted-secrets.ts';
import { openEstate } from '../support/temporal-estate.ts';

const TOKEN = 't0ken-of-the-command';
const estate = await openEstate(
  wholeFile,
  { approval: 'always', secrets: { token: TOKEN } },
  (directory) => `configuration:
  etc:
    host: here
    paths: [${directory}/etc, ${directory}/single/app.conf, '${directory}/conf.d/*.conf']
    exclude: ['*.bak']
    commands:
      packages: { run: [cat, ${directory}/packages] }
      whoami: { shell: 'echo "token is $TOKEN"; cat ${directory}/status && exit $(cat ${directory}/status)', env: { TOKEN: file:secrets/token } }
    redact: [ { pattern: '^licence (\\S+)$', kind: licence } ]
    withhold: ['*.private']
    git: { remote: { url: ${directory}/remote.git } }
    backup: { snapshot: 'daily 01:00' }
    keep: 365d
    objective: { rpo: 25h }
`,
);
const { client, temporal, directory, configuration } = estate;
const at = (...names: string[]) => path.join(directory, ...names);
const { name, digest } = configuration;
const component = 'configuration/etc';
const input = { estate: name, component, host: 'here', digest, by: 'test@here' } as const;
const restoring = { ...input, to: 'latest', approval: 'always', approveWithinSeconds: 600 } as const;
const ended = (handle: RunHandle) => client.follow(handle, () => undefined);
const repository = at('state/configuration/etc/repository.git');
let first: SnapshotSummary;

async function approved(handle: RunHandle) {
  return await client.follow(handle, (status) => {
    const shown = (status.data?.filesPlan as FilesPlan | undefined)?.digest;
    if (status.state === 'waiting' && shown !== undefined) {
      // Asked again for the same: the second time it is decided already.
      client.approve(status.run, shown, 'somebody@else').catch(() => undefined);
    }
  });
}

async function taken() {
  const status = await ended(await client.startConfigurationBackup(input));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  return { status, snapshot: status.data?.snapshot as SnapshotSummary, push: status.data?.push as PushedHistory };
}

before(async () => {
  await plantTree(at('etc'));
  for (const folder of ['single', 'conf.d']) await mkdir(at(folder));
  await writeFile(at('etc/hosts'), '127.0.0.1 localhost\n');
  await writeFile(at('etc/app/licence'), 'licence KEY-OF-LICENCE\n');
  await writeFile(at('etc/x.private'), 'as the user says\n');
  await writeFile(at('single/app.conf'), 'threads = 4\n');
  await writeFile(at('single/other.conf'), 'nobody captures this\n');
  await writeFile(at('conf.d/a.conf'), 'a = 1\n');
  await writeFile(at('conf.d/notes.txt'), 'nobody captures this\n');
  await writeFile(at('packages'), 'a 1.0\n');
  await writeFile(at('status'), '0\n');
  await run('git', ['init', '--quiet', '--bare', '--initial-branch=main', at('remote.git')]);
});

test('a snapshot is taken, committed and pushed, and is what list, status and schedules speak of', async () => {
  const check = await client.check(component);
  assert.ok(check.ok, JSON.stringify(check, undefined, 1));
  const { snapshot, push } = await taken();
  first = snapshot;
  assert.deepEqual(
    [first.kind, first.state, first.copies],
    ['configuration', 'clean', { local: 'present', eu: 'present' }],
  );
  assert.match(first.configuration?.change ?? '', /^Capture \d+ files and 2 outputs$/);
  assert.equal(push.state, 'pushed', push.because);
  assert.equal(await git(at('remote.git'), 'rev-parse', 'main'), first.configuration?.commit);
  assert.deepEqual(await client.snapshots(component), [first]);
  const [seen] = await client.components();
  assert.equal(seen?.component, component);
  assert.equal(seen?.drift?.state, 'none', JSON.stringify(seen?.drift));
  assert.equal(seen?.window?.snapshots, 1);
  const [change] = await client.applySchedules({ dryRun: true });
  assert.deepEqual([change?.spec, change?.id], ['daily 01:00', `${name}/backup/configuration/etc/snapshot`]);
});

test('what drifts shows in the status, and what differs in a diff, without its secrets', async () => {
  await writeFile(at('etc/app/main.ini'), 'password = n3w-passw0rd\n');
  await chmod(at('etc/hosts'), 0o600);
  await rm(at('single/app.conf'));
  const [seen] = await client.components();
  assert.ok(seen?.drift?.state === 'drifted');
  const names = seen.drift.names.first.map(({ what, path: of }) => `${what} ${path.relative(directory, of)}`);
  assert.deepEqual(names.sort(), ['content etc/app/main.ini', 'mode etc/hosts', 'removed single/app.conf']);
  assert.ok(seen.findings.some(({ severity, message }) => severity === 'hint' && message.startsWith('changed since')));
  const diff = await client.configurationDiff({ component, from: 'latest', to: 'now' });
  assert.deepEqual(
    diff.changes.first.map(({ what, path: of }) => `${what} ${of.replace(directory, '')}`),
    ['changed files/etc/app/main.ini', 'removed files/single/app.conf', 'changed metadata'],
  );
  assert.match(diff.text, /^\+password = \[redacted password [0-9a-f]{8}\]$/m);
  assert.ok(!diff.text.includes('n3w-passw0rd'));
  await assert.rejects(client.configurationDiff({ component, from: '2001-01-01T00:00:00Z', to: 'now' }), {
    code: 'TARGET_OUTSIDE',
  });
});

test('a command that fails and a remote that refuses are told; neither loses anything', async () => {
  await writeFile(at('status'), '3\n');
  await writeFile(at('packages'), 'a 1.1\n');
  await writeFile(at('remote.git/hooks/pre-receive'), '#!/bin/sh\necho closed today >&2\nexit 1\n', { mode: 0o755 });
  const { status, snapshot, push } = await taken();
  assert.equal(snapshot.state, 'damaged');
  assert.deepEqual(snapshot.configuration?.failed.first, ['whoami: ended with exit status 3']);
  assert.deepEqual(snapshot.configuration.missing.first, [at('single/app.conf')]);
  assert.match(push.because ?? '', /closed today/);
  const warnings = ((status.data?.warnings ?? []) as string[]).join('\n');
  for (const word of [/commands failed: whoami/, /paths are not there/, /not pushed: .*closed today/s])
    assert.match(warnings, word);
  const [seen] = await client.components();
  assert.ok(
    seen?.findings.some(({ message }) => message.startsWith('the history is 1 commits ahead')),
    JSON.stringify(seen?.findings),
  );
  const diff = await client.configurationDiff({ component, from: `snapshot:${first.id}`, to: 'latest' });
  assert.match(diff.text, /^\+ended with exit status 3$/m);
  assert.match(diff.text, /^-a 1\.0\n\+a 1\.1$/m);
  await rm(at('remote.git/hooks/pre-receive'));
  await writeFile(at('status'), '0\n');
});

test('a path that is one file comes back in place beside names that nobody captured; back by one rollback', async () => {
  const before_ = await copyTree(at('single'), at('single-before'));
  const asked = { ...restoring, to: `snapshot:${first.id}`, paths: [at('single/app.conf'), at('conf.d')] };
  await writeFile(at('conf.d/a.conf'), 'a = 2\n');
  await writeFile(at('conf.d/b.conf'), 'b came later\n');
  const plan = await client.planFiles(asked);
  assert.deepEqual(plan.blockers, undefined);
  const listed = plan.changes?.first.map(({ kind, path: of }) => `${kind} ${path.relative(directory, of)}`).sort();
  assert.deepEqual(listed, ['create single/app.conf', 'replace conf.d/a.conf']);
  const stays = { count: 1, first: [at('conf.d/b.conf')] };
  const words = `1 name came after the snapshot, and stays as it is: '${at('conf.d/b.conf')}'`;
  assert.deepEqual([plan.kept, plan.warnings.filter((each) => each.includes('came after'))], [stays, [words]]);
  const others = await client.planFiles({ ...asked, paths: [at('single/app.conf')] });
  assert.equal(others.kept, undefined);
  const status = await approved(await client.startFilesRestore(asked));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  assert.equal(await readFile(at('single/app.conf'), 'utf8'), 'threads = 4\n');
  assert.equal(await readFile(at('conf.d/a.conf'), 'utf8'), 'a = 1\n');
  assert.equal(await readFile(at('conf.d/b.conf'), 'utf8'), 'b came later\n');
  assert.deepEqual((status.data?.filesRestored as FilesRestored | undefined)?.kept, stays);
  assert.ok(((status.data?.warnings ?? []) as string[]).includes(words));
  assert.deepEqual(
    (await client.components())[0]?.restores?.map(({ run: of, state }) => [of, state]),
    [[status.run, 'unconfirmed']],
  );
  const back = await ended(await client.startRollback({ ...input, run: status.run }));
  assert.equal(back.state, 'completed', JSON.stringify(back, undefined, 1));
  assert.equal(await readFile(at('conf.d/a.conf'), 'utf8'), 'a = 2\n');
  assert.deepEqual(await differences(before_, at('single')), []);
});

test('without Temporal: one is undone and one accepted, by the journals beside the paths', async () => {
  const asked = { ...restoring, to: `snapshot:${first.id}`, paths: [at('single/app.conf'), at('conf.d')] };
  const alone = openStandaloneRestores(configuration, { logger: pino({ level: 'silent' }), by: 'test', host: 'here' });
  const open = async () => (await alone.list(component)).filter(({ phase }) => phase === 'swapped');
  const restored = async () => {
    const status = await approved(await client.startFilesRestore(asked));
    assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
    assert.equal(await readFile(at('single/app.conf'), 'utf8'), 'threads = 4\n');
    assert.deepEqual(
      (await open()).map(({ run: of }) => of),
      [status.run],
    );
    return status.run;
  };
  try {
    const back = await alone.rollback(await restored());
    assert.deepEqual([back.state, back.operation], ['completed', 'rollbackRestore']);
    await assert.rejects(stat(at('single/app.conf')), { code: 'ENOENT' });
    assert.equal(await readFile(at('conf.d/a.conf'), 'utf8'), 'a = 2\n');
    const confirmed = await alone.confirm(await restored());
    assert.deepEqual([confirmed.state, confirmed.operation], ['completed', 'confirmRestore']);
    assert.equal(await readFile(at('conf.d/a.conf'), 'utf8'), 'a = 1\n');
    assert.deepEqual(await open(), []);
    await assert.rejects(alone.rollback('restore-00000000'), { code: 'NOT_FOUND' });
  } finally {
    await alone.close();
  }
});

test('all of it comes back in place, and is confirmed', async () => {
  const asked = { ...restoring, to: `snapshot:${first.id}` };
  assert.deepEqual((await client.planFiles(asked)).kept, { count: 1, first: [at('conf.d/b.conf')] });
  const beside = { ...asked, beside: { directory: at('look') } };
  assert.equal((await client.planFiles(beside)).kept, undefined);
  await appendFile(at('etc/hosts'), 'changed\n');
  await writeFile(at('etc/left.bak'), 'left out by the rules\n');
  const status = await approved(await client.startFilesRestore(asked));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  assert.equal(await readFile(at('etc/hosts'), 'utf8'), '127.0.0.1 localhost\n');
  assert.match(await readFile(at('etc/app/main.ini'), 'utf8'), /correct horse battery/);
  assert.equal(await readFile(at('single/other.conf'), 'utf8'), 'nobody captures this\n');
  assert.equal(await readFile(at('etc/left.bak'), 'utf8'), 'left out by the rules\n');
  const confirmed = await ended(await client.startConfirm({ ...input, run: status.run }));
  assert.equal(confirmed.state, 'completed', JSON.stringify(confirmed, undefined, 1));
  await rm(at('conf.d/b.conf'));
  const { push } = await taken();
  assert.deepEqual([push.state, push.behind], ['pushed', 0]);
  const diff = await client.configurationDiff({ component, from: `snapshot:${first.id}`, to: 'latest' });
  assert.deepEqual(
    diff.changes.first.map(({ path: of }) => of),
    ['commands/packages'],
  );
});

test('everything comes back beside, outputs and history with it, and is compared', async () => {
  const asked = { ...restoring, approval: 'never', beside: { directory: at('look') } } as const;
  const status = await ended(await client.startFilesRestore(asked));
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  const own = at('look/.holdfast-configuration');
  assert.deepEqual((await readdir(path.join(own, 'commands'))).sort(), ['packages', 'whoami']);
  assert.equal(await readFile(path.join(own, 'commands/whoami'), 'utf8'), `token is ${TOKEN}\n0\n`);
  await run('git', [
    'diff',
    '--no-index',
    '--exit-code',
    '--',
    at('etc/hosts'),
    path.join(at('look'), at('etc/hosts')),
  ]);
  const { stdout } = await run('git', ['ls-remote', path.join(own, 'repository.bundle')]);
  assert.ok(stdout.startsWith(await git(repository, 'rev-parse', 'main')));
  const one = { ...asked, paths: ['/.holdfast-configuration/commands/packages'], beside: { directory: at('one') } };
  assert.equal((await ended(await client.startFilesRestore(one))).state, 'completed');
  const inPlace = await client.planFiles({ ...restoring, paths: ['/.holdfast-configuration/commands'] });
  assert.equal(inPlace.blockers?.[0]?.code, 'TARGET_UNFIT');
});

test('no secret is in Git, at the remote, in records of runs, or in a history of Temporal', async () => {
  const secrets = [...SECRETS, TOKEN, 'n3w-passw0rd', 'KEY-OF-LICENCE', 'as the user says'];
  for (const place of [repository, at('remote.git')]) assert.deepEqual(await secretsInRepository(place, secrets), []);
  const vault = await openVault(await vaultOptions(configuration, { host: 'here', logger: pino({ level: 'silent' }) }));
  const told: string[] = [];
  try {
    for (const { run: of, name: record } of await vault.listRecords())
      told.push(JSON.stringify(await vault.getRecord(of, record)));
    for (const { engine } of await vault.listSnapshots()) told.push(JSON.stringify(engine));
  } finally {
    await vault.close();
  }
  assert.ok(told.length > 5);
  const histories: string[] = [];
  for await (const { workflowId, runId } of temporal.workflow.list({ query: `WorkflowId STARTS_WITH '${name}/'` })) {
    const history = await temporal.workflow.getHandle(workflowId, runId).fetchHistory();
    for (const event of history.events ?? []) histories.push(...textsIn(event));
  }
  const everything = [...told, ...histories].join('\n');
  assert.ok(everything.includes('ended with exit status 3'), 'nothing was looked at');
  for (const secret of secrets) assert.ok(!everything.includes(JSON.stringify(secret).slice(1, -1)), secret);
  await record();
});

/** Payloads of an event as text, whatever they are in. */
function textsIn(value: unknown): string[] {
  if (value instanceof Uint8Array) return [Buffer.from(value).toString('utf8')];
  if (typeof value === 'string') return [value];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsIn);
}

/** With HOLDFAST_RECORD the histories of this run become those that test/replay replays. */
async function record(): Promise<void> {
  if (process.env.HOLDFAST_RECORD === undefined) return;
  const script = path.resolve(import.meta.dirname, '..', '..', 'scripts', 'record-histories.mjs');
  await run(process.execPath, [script, String(configuration.temporal.address), configuration.name], {
    deadlineMs: 60_000,
  });
}
