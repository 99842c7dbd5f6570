// A restore in place of an awkward cluster whose workflow is terminated in the middle of its renames, while the worker stands still: a person ends it by the journal.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { Client, Connection } from '@temporalio/client';
import { pino } from 'pino';
import { parseConfiguration } from '../../config/index.ts';
import { vaultOptions } from '../../src/host/open-vault.ts';
import { tryRun } from '../../src/process/index.ts';
import { holdfastProgram, startWorker } from '../../src/sandbox/index.ts';
import { createVault, generateKeyFile } from '../../src/vault/index.ts';
import { type AwkwardCluster, notesIn, notesOf, startAwkwardCluster, writeNote } from '../support/awkward-cluster.ts';
import { testTemporal } from '../support/components.ts';
import { lastFirst } from '../support/last-first.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { waitFor } from '../support/wait-for.ts';

/** Behind ten lines of what comes before, one rename of an entry of the data directory has begun and is not done. */
const LINE = 'swap 26 SIGSTOP';
const patient = { limitMs: 300_000, pauseMs: 300 };

async function writeConfiguration(directory: string, address: string, { server }: AwkwardCluster) {
  const name = `t${randomUUID().slice(0, 8)}`;
  const file = path.join(directory, 'holdfast.yaml');
  await mkdir(path.join(directory, 'secrets'), { mode: 0o700 });
  await generateKeyFile(path.join(directory, 'secrets', 'vault.key'));
  await writeFile(path.join(directory, 'secrets', 'database-url'), server.url(), { mode: 0o600 });
  await mkdir(path.join(directory, 'copies', 'local'), { recursive: true });
  const text = `name: ${name}
timezone: UTC
temporal: { address: "${address}" }
sites: { home: {} }
hosts: { here: { site: home, stateDirectory: state, runAs: postgres } }
vault:
  keys: [ { name: host, file: secrets/vault.key } ]
  copies: { local: { file: copies/local, site: home } }
  commit: { copies: 1, offsite: 0 }
approval: { restoreInPlace: never }
database:
  main:
    host: here
    url: file:secrets/database-url
    dataDirectory: ${server.dataDirectory}
    service: { pgCtl: { logFile: "${server.directory}/server.log", options: "-c config_file=${server.configurationDirectory}/postgresql.conf" } }
    backup: { full: "daily 02:00" }
`;
  await writeFile(file, text);
  const configuration = parseConfiguration(text, file);
  const vault = await createVault(
    await vaultOptions(configuration, { host: 'here', logger: pino({ level: 'silent' }) }),
  );
  await vault.close();
  return { name, file };
}

test('terminated at a rename, a restore of a cluster on four file systems is finished, and rolled back, without Temporal', async (test) => {
  const t = lastFirst(test);
  const directory = await temporaryDirectory(t);
  const address = await testTemporal(t);
  const cluster = await startAwkwardCluster(t, { major: 15, log: 'mount point' });
  const { server } = cluster;
  const { name, file } = await writeConfiguration(directory, address, cluster);
  const holdfast = async (...args: string[]) => {
    const { exitCode, stdout, stderrTail } = await tryRun(holdfastProgram(), ['-c', file, ...args, '--json'], {
      deadlineMs: 300_000,
    });
    const json = stdout.trim() === '' ? undefined : JSON.parse(stdout);
    return { exitCode, json, words: `${args.join(' ')}: ${stdout}${stderrTail}` };
  };
  const done = async (...args: string[]) => {
    const { exitCode, json, words } = await holdfast(...args);
    assert.equal(exitCode, 0, words);
    return json;
  };
  await server.query("alter system set max_slot_wal_keep_size = '1GB'");
  await server.query('select pg_reload_conf()');
  const preload = path.resolve(import.meta.dirname, '..', 'support', 'stop-at-journal-line.ts');
  const worker = await startWorker({
    ...{ configuration: file, address, estate: name, host: 'here' },
    ...{ logFile: path.join(directory, 'worker.log'), outlive: true },
    env: { STOP_AT_JOURNAL_LINE: LINE, NODE_OPTIONS: `--import=${preload}` },
  });
  t.after(() => worker.stop({ signal: 'SIGKILL' }));
  await done('backup', 'database/main', '--yes');
  await writeNote(cluster, 'note kept');
  const [row] = await server.query(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`,
  );
  await writeNote(cluster, 'note lost');
  await done('check', 'database/main');
  const { run } = await done('restore', 'database/main', '--to', row?.moment ?? '', '--detach', '--yes');
  const stopped = async () => (await readFile(`/proc/${worker.pid}/stat`, 'utf8')).includes(') T ');
  await waitFor('the worker to stand still', stopped, patient);
  const journal = path.join(server.dataDirectory, 'pgsql_tmp.holdfast', 'journal', `${run.id}.jsonl`);
  const last = async () => JSON.parse((await readFile(journal, 'utf8')).trim().split('\n').at(-1) ?? '');
  const { step, state } = await last();
  test.diagnostic(`it stands at '${step} ${state}'`);
  assert.match(step, /^keep old: /);
  const refused = await holdfast('resume', run.id, '--standalone', '--yes');
  assert.equal(refused.json?.error?.code, 'LOCKED', refused.words);

  const connection = await Connection.connect({ address });
  t.after(() => connection.close());
  await new Client({ connection }).workflow.getHandle(`${name}/restore/database/main`).terminate('by a person');
  process.kill(worker.pid, 'SIGCONT');
  // It may go on to the end or leave in the middle: what holds afterwards is the journal's.
  const said = await waitFor(
    'the worker to leave it',
    async () => {
      const { json, exitCode } = await holdfast('resume', run.id, '--standalone', '--yes');
      return exitCode === 0 ? json : undefined;
    },
    patient,
  );
  assert.equal(said.state, 'completed');
  assert.deepEqual(await notesIn(cluster), notesOf('note kept'));
  await worker.stop({ signal: 'SIGKILL' });
  await done('rollback', run.id, '--standalone', '--yes');
  assert.deepEqual(await notesIn(cluster), notesOf('note kept', 'note lost'));
  const kept = (await readdir(path.join(server.dataDirectory, 'pgsql_tmp.holdfast'))).filter((each) =>
    each.startsWith('before-'),
  );
  assert.deepEqual(kept, []);
  assert.equal((await last()).step, 'rollback');
});
