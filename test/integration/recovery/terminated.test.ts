// The workflow of a restore in place is terminated at any line of its swap, over four file systems: what holds is the journal's, and a person ends it either way.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { pino } from 'pino';
import type { RestoreDatabaseInput } from '../../../src/domain/operations.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { openStandaloneRestores } from '../../../src/host/standalone.ts';
import { abandon, journalState } from '../../../src/postgres/recovery/index.ts';
import {
  type AwkwardCluster,
  notesIn,
  notesOf,
  startAwkwardCluster,
  writeNote,
} from '../../support/awkward-cluster.ts';
import { lastFirst } from '../../support/last-first.ts';
import { serverUser } from '../../support/scratch-postgres.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';
import { openEstate } from '../../support/temporal-estate.ts';
import { waitFor } from '../../support/wait-for.ts';
import { watchJournal } from '../../support/watched-journal.ts';

const isFull = process.env.HOLDFAST_SWEEP === 'full';
const patient = { limitMs: 300_000, pauseMs: 100 };

/** How a line that was reached ends: it is acted on, or its process has failed there. */
type Going = 'on' | 'no further';

/** The worker stands at one line of a journal, in this process, until it is told how to go on. */
class Standing {
  readonly reached = Promise.withResolvers<void>();
  readonly going = Promise.withResolvers<Going>();
  readonly #line: number;

  constructor(line: number) {
    this.#line = line;
  }

  /** Lines count from the first of the swap. */
  async look(file: string): Promise<void> {
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
    const first = lines.findIndex((text) => text.includes('"step":"swap"'));
    if (first < 0 || lines.length - first !== this.#line) return;
    this.reached.resolve();
    if ((await this.going.promise) === 'no further') throw new Error('the disk of the journal is gone');
  }
}

let standing: Standing | undefined;
watchJournal(
  (file, flags) => /\.holdfast\/journal\/[^/]+\.jsonl$/.test(file) && flags === 'a+',
  async (file) => await standing?.look(file),
);

/** One after another, so that each meets beginnings and ends of steps, of every kind. */
const ways = [
  { going: 'on', person: 'resume' },
  { going: 'no further', person: 'rollback' },
  { going: 'no further', person: 'resume' },
] as const;
/** Log shipped; in the middle of what is taken away; in the middle of what comes. */
const few = [7, 32, 63];

function componentOf({ server }: AwkwardCluster): string {
  return `database:
  main:
    host: here
    url: file:secrets/database-url
    dataDirectory: ${server.dataDirectory}
    service: { pgCtl: { logFile: "${server.directory}/server.log", options: "-c config_file=${server.configurationDirectory}/postgresql.conf" } }
    backup: { full: "daily 02:00" }
`;
}

test('terminated at any line of its swap, a restore is finished or rolled back by its journal, and the same worker receives the log', async (test) => {
  const t = lastFirst(test);
  const cluster = await startAwkwardCluster(t, { major: 17, log: 'directory' });
  const { server } = cluster;
  const { dataDirectory } = server;
  await server.query("alter system set max_slot_wal_keep_size = '1GB'");
  await server.query('select pg_reload_conf()');
  // Its own order: the worker ends before what it works with.
  const hooks = new SuiteHooks();
  t.after(() => hooks.end());
  const estate = await openEstate(hooks.context, {}, async () => ({
    components: componentOf(cluster),
    host: serverUser.runAs === undefined ? '' : `, runAs: ${serverUser.runAs}`,
    secrets: { 'database-url': server.url() },
  }));
  const { client, configuration, temporal } = estate;
  const { name, digest } = configuration;
  const input = { estate: name, component: 'database/main', host: 'here', digest, by: 'test@here' } as const;
  const person = openStandaloneRestores(configuration, {
    ...{ logger: pino({ level: 'silent' }), by: 'a person', host: 'here' },
  });
  t.after(() => person.close());

  const receives = () =>
    waitFor(
      'the log to be received',
      async () => {
        const sql = "select 1 from pg_replication_slots where slot_type = 'physical' and active";
        return (await server.query(sql)).length === 1;
      },
      patient,
    );

  const backup = await client.startBackup({ ...input, kind: 'physical' });
  assert.equal((await client.follow(backup, () => undefined)).state, 'completed');
  await writeNote(cluster, 'note kept');
  const [row] = await server.query(
    `select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') as moment`,
  );
  await writeNote(cluster, 'note lost');
  const isOnCopies = async () => {
    const { checks } = await client.check('database/main');
    const segments = checks.filter(({ name }) => name.startsWith('segment on '));
    assert.deepEqual(
      segments.map(({ ok }) => ok),
      [true, true],
      JSON.stringify(checks),
    );
  };
  await isOnCopies();
  const target: RestoreDatabaseInput = {
    ...{ ...input, to: row?.moment ?? '', timeline: 1 },
    ...{ approval: 'never', approveWithinSeconds: 600 },
  };

  /** Once nobody is at a step any more. */
  const ends = async (run: string, deed: 'resume' | 'rollback') =>
    await waitFor(
      `the end of ${run} by a person`,
      async () => {
        try {
          return await person[deed](run);
        } catch (error) {
          if (isHoldfastError(error, 'LOCKED')) return undefined;
          throw error;
        }
      },
      patient,
    );

  /** Gives where it stood; `undefined` when the swap has no such line. */
  const terminateAt = async (line: number): Promise<string | undefined> => {
    const { going, person: deed } = ways[line % ways.length]!;
    standing = new Standing(line);
    const { reached } = standing;
    const handle = await client.startRestore(target);
    const ended = client.follow(handle, () => undefined);
    const isReached = await Promise.race([reached.promise.then(() => true), ended.then(() => false)]);
    const run = handle.runId;
    if (!isReached) {
      assert.equal((await ended).state, 'completed', JSON.stringify(await ended));
      return undefined;
    }
    const stood = (await journalState(dataDirectory, run))?.lastStep;
    const where = `line ${line} (${stood?.step} ${stood?.state}), ${going}, ${deed}`;
    await temporal.workflow.getHandle(handle.workflowId).terminate('by a person');
    await ended;
    standing.going.resolve(going);
    standing = undefined;
    const { state } = await ends(run, deed);
    assert.equal(state, 'completed', where);
    if (deed === 'resume') {
      assert.deepEqual(await notesIn(cluster), notesOf('note kept'), where);
      await receives();
      await ends(run, 'rollback');
    }
    assert.deepEqual(await notesIn(cluster), notesOf('note kept', 'note lost'), where);
    assert.equal((await journalState(dataDirectory, run))?.phase, 'rolled back', where);
    await receives();
    // Nothing of it is in the way of the next one, but its bytes would fill the disk.
    await abandon(dataDirectory, run, { token: Number.MAX_SAFE_INTEGER });
    return where;
  };

  let visited = 0;
  const stood: string[] = [];
  for (let index = 0; isFull || index < few.length; index += 1) {
    const where = await terminateAt(isFull ? index + 1 : few[index]!);
    if (where === undefined) break;
    visited += 1;
    stood.push(where);
    if (isFull) process.stderr.write(`${where}\n`);
  }
  test.diagnostic(`${visited} lines visited, from ${stood[0]} to ${stood.at(-1)}`);
  assert.ok(visited >= (isFull ? 60 : few.length), stood.join('\n'));
  assert.ok(stood.some((where) => /\((keep old|move new): /.test(where)));
  await isOnCopies();
});
