// What people do with files besides backing up and restoring: found, compared, exported on the command line; pulled from a host without a worker; mirrored.

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { before, test } from 'node:test';
import type { ComponentStatus } from '../../src/domain/component-report.ts';
import type { FilesPlan } from '../../src/domain/files-restore.ts';
import type { MirrorReport } from '../../src/domain/mirror.ts';
import { holdLock, run } from '../../src/process/index.ts';
import { typeHoldfast } from '../support/command-line.ts';
import { wholeFile } from '../support/components.ts';
import { differences, makeAwkwardTree } from '../support/file-trees.ts';
import { testSshServer } from '../support/ssh-server.ts';
import { openEstate } from '../support/temporal-estate.ts';
import { waitFor } from '../support/wait-for.ts';

const ssh = await testSshServer(wholeFile);
const there = path.join(ssh.directory, 'there');
const estate = await openEstate(
  wholeFile,
  {},
  (directory) => `files:
  uploads: { host: here, roots: [${directory}/uploads], mirror: { directory: ${directory}/mirror, maxDelete: 1, schedule: every 1h } }
  elsewhere:
    host: here
    roots: [${there}]
    backup: { rate: 500MB/s }
    pull: { ssh: ${ssh.remote.ssh}, port: ${ssh.remote.port}, keyFile: ${ssh.remote.keyFile}, knownHosts: ${ssh.remote.knownHosts} }
`,
);
const { client, directory, configuration } = estate;
const at = (...names: string[]) => path.join(directory, ...names);
const type = (...args: string[]) => typeHoldfast(['-c', at('holdfast.yaml'), 'files', ...args]);
const { name, digest } = configuration;

const asked = (component: 'files/uploads' | 'files/elsewhere') => ({ estate: name, component, host: 'here', digest });

async function backUp(component: 'files/uploads' | 'files/elsewhere' = 'files/uploads') {
  const status = await client.follow(await client.startFilesBackup(asked(component)), () => undefined);
  assert.equal(status.state, 'completed', JSON.stringify(status, undefined, 1));
  return { status, id: (status.data as { snapshot: { id: string } }).snapshot.id };
}

before(async () => {
  await mkdir(at('uploads'));
  await makeAwkwardTree(at('uploads'));
  await mkdir(at('mirror'));
  await mkdir(there);
  await makeAwkwardTree(there);
  await chmod(path.join(there, 'closed'), 0o555);
  // Its user could not make it again.
  await rm(path.join(there, 'device'), { force: true });
});

test('a path is found and trees are compared, through Temporal and without', async () => {
  const { id: first } = await backUp();
  await rm(at('uploads', 'plain', 'deep', 'large'));
  await writeFile(at('uploads', 'plain', 'small'), 'other');
  const { id: second } = await backUp();
  for (const standalone of [[], ['--standalone']]) {
    const found = await type('find', at('uploads', 'plain', 'deep', 'large'), 'uploads', '--json', ...standalone);
    assert.equal(found.exit, 0, found.text);
    assert.equal(found.json.filesFound.paths[0].lastSeen.id, first);
    assert.equal(found.json.temporal.state, standalone.length === 0 ? 'reachable' : 'not asked');
    const compared = await type('diff', first, 'latest', 'uploads', '--json', ...standalone);
    assert.deepEqual([compared.exit, compared.json.filesDiff.other.snapshot.id], [0, second]);
    assert.equal(compared.json.filesDiff.counts.removed, 1);
  }
  const words = await type('find', '*', 'files/uploads');
  assert.match(words.text, /not-utf8-\\xff\\xfe\\x80 {2}in the newest snapshot/);
  assert.match(words.text, /large {2}last seen in .*\n.* not there\n.* 6\.0 MiB/);
  const never = await type('find', '/nowhere', 'uploads');
  assert.equal(never.exit, 4);
  assert.match(never.text, /'\/nowhere' is in none of 2 snapshots of files\/uploads/);
  await writeFile(at('uploads', 'now'), 'new');
  const now = await type('diff', 'latest', 'now', 'uploads');
  assert.match(now.text, /1 created \(3 B\).*\n(.*\n)? {2}\+ .*uploads\/now/);
});

test('an archive is written by this host alone, and never into a name that is taken', async () => {
  await rm(at('uploads', 'now'));
  const wanted = at('uploads', 'plain', 'deep');
  const file = at('deep.tar.zst');
  const done = await type('export', 'uploads', '--to', 'latest', '--path', wanted, '--output', file, '--json');
  assert.equal(done.exit, 0, done.text);
  assert.equal(done.json.filesExported.file, file);
  await mkdir(at('unpacked'));
  await run('tar', ['--xattrs', '--xattrs-include=*', '--acls', '-xpf', file, '-C', at('unpacked')]);
  assert.deepEqual(await differences(wanted, path.join(at('unpacked'), wanted)), []);
  const again = await type('export', 'uploads', '--to', 'latest', '--output', file);
  assert.deepEqual([again.exit, /is there already/.test(again.errors)], [3, true]);
  const mixed = await type('export', 'uploads', '--to', 'latest', '--output', '-', '--json');
  assert.deepEqual([mixed.exit, mixed.json.error.code], [2, 'USAGE']);
  assert.ok(!(await readdir(directory)).some((each) => each.includes('partial')));
});

const statusOf = async (component: string) =>
  (await client.components()).find((each) => each.component === component) as ComponentStatus;

test('a mirror follows each snapshot, and status tells of when it is and what it holds back', async () => {
  await backUp();
  const copy = path.join(at('mirror'), 'tree', at('uploads'));
  assert.deepEqual(await differences(at('uploads'), copy), []);
  const { mirror } = await statusOf('files/uploads');
  assert.deepEqual([mirror?.state, mirror?.to], ['complete', at('mirror')]);
  assert.ok((mirror?.behindSeconds ?? -1) >= 0);
  await rm(at('uploads', 'plain', 'deep'), { recursive: true });
  const { status } = await backUp();
  assert.equal((status.data?.mirror as MirrorReport | undefined)?.state, 'held back');
  const { findings } = await statusOf('files/uploads');
  assert.ok(findings.some(({ message }) => /keeps names that are gone/.test(message)));
  // A disk that went away but for a stray file; this host remembers nothing of the mirror, so that only the snapshot tells.
  const [memory = ''] = (await readdir(directory, { recursive: true })).filter((name) =>
    /mirror.*\/state\.json$/.test(name),
  );
  await rm(at(memory));
  await rename(at('uploads'), at('unmounted'));
  await mkdir(at('uploads'));
  await writeFile(at('uploads', 'app.pid'), '1');
  const { status: fewer } = await backUp();
  assert.equal((fewer.data?.mirror as MirrorReport | undefined)?.heldBecause, 'far fewer');
  assert.match(JSON.stringify(fewer.data?.warnings), /keeps names that are gone: far fewer files/);
  await rm(at('uploads'), { recursive: true });
  await rename(at('unmounted'), at('uploads'));
  // The snapshot is whole all the same, and the run says that its mirror is not.
  await rename(at('mirror', 'holdfast-mirror.json'), at('mark'));
  const { status: away } = await backUp();
  assert.match(away.message, /its mirror was not brought up/);
  assert.match(JSON.stringify(away.data?.warnings), /not empty and no mirror of ours/);
  await rename(at('mark'), at('mirror', 'holdfast-mirror.json'));
});

test('a mirror is brought up without a snapshot, after whoever is at it', async () => {
  const { mirror: before } = await statusOf('files/uploads');
  const [lockFile = ''] = (await readdir(directory, { recursive: true })).filter((each) =>
    /mirror.*\/lock$/.test(each),
  );
  const lock = await holdLock(at(lockFile));
  await writeFile(at('uploads', 'came-later'), 'new');
  const typed = type('mirror', 'uploads', '--json');
  const steps = async () =>
    (await client.running('files/uploads')).flatMap(({ steps }) => steps.map(({ note }) => note));
  await waitFor('the run to wait', async () => (await steps()).some((note) => /another run is at it/.test(note ?? '')));
  await lock.release();
  const done = await typed;
  assert.deepEqual([done.exit, done.json.state], [0, 'completed'], done.text);
  const { mirror: after } = await statusOf('files/uploads');
  assert.ok((after?.asOf ?? '') > (before?.asOf ?? ''));
  assert.equal(await readFile(path.join(at('mirror'), 'tree', at('uploads'), 'came-later'), 'utf8'), 'new');
  const [schedule] = await client.applySchedules({ dryRun: true });
  assert.deepEqual([schedule?.id, schedule?.change], [`${name}/mirror/files/uploads/schedule`, 'created']);
  const none = await type('mirror', 'elsewhere');
  assert.deepEqual([none.exit, /has no mirror/.test(none.errors)], [2, true]);
});

test('a host without a worker is pulled, and what it was comes back beside with the way there', async () => {
  const checked = await client.check('files/elsewhere');
  assert.ok(checked.ok, JSON.stringify(checked, undefined, 1));
  const { status, id } = await backUp('files/elsewhere');
  // A slow line must not take the places of backups.
  const { events } = await estate.temporal.workflow.getHandle(status.workflowId).fetchHistory();
  const queues = (events ?? []).flatMap(({ activityTaskScheduledEventAttributes: scheduled }) =>
    scheduled?.activityType?.name === 'captureFiles' ? [scheduled.taskQueue?.name] : [],
  );
  assert.deepEqual(queues, [`${name}/here/sync`]);
  assert.equal((status.data?.snapshot as { state: string } | undefined)?.state, 'clean');
  const restoring = {
    ...asked('files/elsewhere'),
    to: `snapshot:${id}`,
    approval: 'never',
    approveWithinSeconds: 60,
  } as const;
  const inPlace = await client.planFiles(restoring);
  assert.equal(inPlace.blockers?.[0]?.code, 'TARGET_UNFIT');
  assert.match(inPlace.blockers?.[0]?.hint ?? '', /rsync -aHAXS .*--dry-run .* DIR\/\./);
  const started = await client.startFilesRestore({ ...restoring, beside: { directory: at('back') } });
  const done = await client.follow(started, () => undefined);
  assert.equal(done.state, 'completed', JSON.stringify(done, undefined, 1));
  assert.deepEqual(await differences(there, path.join(at('back'), there)), []);
  // The command that was told does nothing but say that nothing differs.
  const plan = done.data?.filesPlan as FilesPlan | undefined;
  const command = /--dry-run: (.*)$/.exec(plan?.warnings.at(-1) ?? '')?.[1] ?? '';
  const { stdout } = await run('sh', ['-c', command]);
  assert.equal(stdout, '');
  await writeFile(path.join(there, 'plain', 'small'), 'changed there');
  assert.match((await run('sh', ['-c', command])).stdout, /plain\/small/);
  const now = await type('diff', 'latest', 'now', 'elsewhere', '--json');
  assert.deepEqual([now.exit, now.json.error.code], [3, 'TARGET_UNFIT']);
  await ssh.stop();
  assert.equal((await client.check('files/elsewhere')).ok, false);
});
