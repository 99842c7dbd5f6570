// Settings files outside of the data directory: captured with the base backup, left alone where production has them, put back where they are gone.

import assert from 'node:assert/strict';
import { appendFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { takeBaseBackup } from '../../../src/postgres/backup/index.ts';
import { configurationPrefix, readOutsideConfiguration } from '../../../src/postgres/backup/outside-configuration.ts';
import { exists } from '../../../src/postgres/recovery/durable-files.ts';
import {
  abandon,
  awaitTarget,
  checkRecovered,
  fetchBase,
  finishBeside,
  type PlanRequest,
  planRestore,
  prepareProduction,
  prepareWork,
  promote,
  proveRecovery,
  rollbackRestore,
  stopLeft,
  swapIn,
} from '../../../src/postgres/recovery/index.ts';
import type { RestorePlan } from '../../../src/postgres/types.ts';
import { configurationFor, databaseFor, guard, logger } from '../../support/recovery-run.ts';
import { component, type RecoverySource, startRecoverySource } from '../../support/recovery-source.ts';
import { giveToServer } from '../../support/scratch-postgres.ts';
import { SuiteHooks } from '../../support/suite-hooks.ts';
import { snapshotId } from '../../support/vault.ts';

for (const major of [15, 18]) {
  describe(`settings of PostgreSQL ${major} outside of its data directory`, () => {
    const hooks = new SuiteHooks();
    let source: RecoverySource;
    let dataDirectory: string;
    let etc: string;
    let runs = 0;

    const request = (place: PlanRequest['place'] = { mode: 'in place' }): PlanRequest => {
      runs += 1;
      const options = `-c config_file=${etc}/postgresql.conf`;
      return {
        vault: source.vault,
        configuration: configurationFor(source),
        database: databaseFor({
          dataDirectory,
          service: { pgCtl: { logFile: path.join(source.server.directory, 'server.log'), options } },
        }),
        target: { type: 'name', name: 'before the mistake' },
        place,
        run: `restore-0000000${runs}`,
        url: source.server.url(),
      };
    };

    const recover = async (plan: RestorePlan) => {
      await prepareWork(plan, guard);
      await fetchBase(plan, source.vault, guard);
      await awaitTarget(plan, source.vault, { logger });
      await proveRecovery(plan);
      await prepareProduction(plan);
      await promote(plan, guard);
      await checkRecovered(plan);
      await stopLeft(plan, false);
    };

    const setting = async (name: string) => (await source.server.query(`show ${name}`))[0]?.[name];

    before(async () => {
      source = await startRecoverySource(hooks.context, { major, configuration: 'etc' });
      ({ dataDirectory, configurationDirectory: etc } = source.server);
      const more = path.join(etc, 'conf.d');
      await mkdir(more);
      await writeFile(path.join(more, 'memory.conf'), "work_mem = '9MB'\n");
      await writeFile(path.join(more, 'notes.txt'), 'not read by the server\n');
      await appendFile(path.join(etc, 'postgresql.conf'), "include_dir 'conf.d'\ninclude_if_exists = 'absent.conf'\n");
      await giveToServer(more, path.join(more, 'memory.conf'));
      await source.server.stop();
      await source.server.start();
      await takeBaseBackup({
        source: { component, url: source.server.url() },
        vault: source.vault,
        request: { snapshotId: snapshotId(1), component, host: 'db1' },
        waitForLog: () => Promise.resolve(),
        signal: new AbortController().signal,
        logger,
      });
      await source.commit();
      await source.server.query("select pg_create_restore_point('before the mistake')");
      await source.ship();
    });

    after(() => hooks.end());

    test('the snapshot has every file that the server reads, and no other', async () => {
      const [copy] = source.vault.copies;
      const reader = await source.vault.openSnapshot(snapshotId(1), copy!.name);
      const paths: string[] = [];
      for await (const entry of reader.entries())
        if (entry.path.startsWith(configurationPrefix)) paths.push(entry.path);
      reader.close();
      const names = ['conf.d/memory.conf', 'pg_hba.conf', 'pg_ident.conf', 'postgresql.conf'];
      assert.deepEqual(
        paths.sort(),
        names.map((name) => `${configurationPrefix}${etc}/${name}`),
      );
    });

    test('files of another cluster on this host are never taken for those of the server', async () => {
      const found = await readOutsideConfiguration({ component, url: source.server.url() }, '1');
      assert.deepEqual(found.files, []);
      assert.match(found.left.join(), /is not a directory of this host/);
    });

    test('beside, they lie in the directory for a person to look at', async () => {
      const directory = path.join(source.server.directory, 'beside');
      const plan = await planRestore(request({ mode: 'beside', dataDirectory: directory, start: false }));
      await recover(plan);
      await finishBeside(plan, guard);
      const text = await readFile(path.join(directory, configurationPrefix, etc, 'conf.d/memory.conf'), 'utf8');
      assert.equal(text, "work_mem = '9MB'\n");
    });

    test('in place, production’s own are used as they are today', async () => {
      await writeFile(path.join(etc, 'conf.d/memory.conf'), "work_mem = '11MB'\n");
      const plan = await planRestore(request());
      await recover(plan);
      await swapIn(plan, guard);
      assert.equal(await setting('work_mem'), '11MB');
      assert.equal(await exists(path.join(dataDirectory, path.dirname(configurationPrefix))), false);
      await rollbackRestore(dataDirectory, plan.run, guard);
      assert.equal(await setting('work_mem'), '11MB');
      await abandon(dataDirectory, plan.run, guard);
    });

    test('where production is gone they come back, but never over a file that is there', async () => {
      await source.server.stop();
      await rename(dataDirectory, `${dataDirectory}.hidden`);
      await rm(path.join(etc, 'conf.d'), { recursive: true });
      await rm(path.join(etc, 'pg_ident.conf'));
      await appendFile(path.join(etc, 'postgresql.conf'), "maintenance_work_mem = '65MB'\n");
      const plan = await planRestore(request());
      await recover(plan);
      const { warnings } = await swapIn(plan, guard);
      assert.deepEqual(warnings, []);
      assert.equal(await setting('work_mem'), '9MB');
      assert.equal(await setting('maintenance_work_mem'), '65MB');
      await rollbackRestore(dataDirectory, plan.run, guard);
      await abandon(dataDirectory, plan.run, guard);
    });

    test('one that cannot be put back is told with where it is, and the data does not wait for it', async () => {
      await rm(path.join(etc, 'conf.d'), { recursive: true });
      await writeFile(path.join(etc, 'conf.d'), 'a file where a directory was');
      const plan = await planRestore(request());
      await recover(plan);
      const text = await readFile(path.join(etc, 'postgresql.conf'), 'utf8');
      await writeFile(path.join(etc, 'postgresql.conf'), text.replace("include_dir 'conf.d'", ''));
      const { warnings } = await swapIn(plan, guard);
      assert.match(warnings.join('\n'), /memory\.conf' could not be put back \(ENOTDIR\): it is in '.*data\/pgsql_tmp/);
      assert.equal(await setting('work_mem'), '4MB');
      await rollbackRestore(dataDirectory, plan.run, guard);
      await abandon(dataDirectory, plan.run, guard);
      await rename(`${dataDirectory}.hidden`, dataDirectory);
      await source.server.start();
    });
  });
}
