// Restores in place of components that share a directory: each is ended by whose it is alone, and accepted only when all of it is known to be done.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import {
  type Configuration,
  componentOf,
  type HostConfigurationSettings,
  parseConfiguration,
} from '../../../config/index.ts';
import { fail } from '../../../src/errors/index.ts';
import { confirmInPlace, rollbackInPlace, runsInPlace } from '../../../src/files/index.ts';
import { confirmFiles, rollbackFiles } from '../../../src/host/end-files.ts';
import type { FilesRestoring } from '../../../src/host/restore-files.ts';
import { restoresLeft } from '../../../src/host/restores-left.ts';
import type { RunRecords } from '../../../src/host/run-records.ts';
import { standaloneConfiguration } from '../../../src/host/standalone-files.ts';
import type { Vault } from '../../../src/vault/index.ts';
import { FILE, minimal } from '../../support/configuration.ts';
import type { EndingFiles } from '../../support/end-files-alone.ts';
import { InPlaceTrees } from '../../support/in-place.ts';

/** A process that is ready to end it; its answer is `done`, or the code of an error. */
async function endingAlone(asked: EndingFiles): Promise<{ readonly answer: Promise<string | undefined> }> {
  const program = spawn(process.execPath, ['test/support/end-files-alone.ts', JSON.stringify(asked)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(program.stdout)[Symbol.asyncIterator]();
  assert.equal((await lines.next()).value, 'ready');
  return { answer: lines.next().then(({ value }) => value as string | undefined) };
}

const NO_RECORDS: RunRecords = { runs: [], parts: [], unread: [] };
const A = 'configuration/a';
const B = 'configuration/b';

describe('a restore of one component in a directory that another one has, too', () => {
  let trees: InPlaceTrees;
  let number = 0;

  before(async () => {
    trees = await InPlaceTrees.make();
  });
  after(() => trees[Symbol.asyncDispose]());

  /** Of `b`, in the directory that `a` has a file in, too, and in another one. */
  const begun = async (inBoth: boolean, isNamed = true) => {
    const run = `restore-${number++}`;
    const base = await trees.root(run);
    const roots = [join(base, 'etc'), join(base, 'more')];
    const [etc, more] = roots as [string, string];
    for (const root of roots) await mkdir(root);
    await symlink('loop', join(base, 'loop'));
    const files = [join(etc, 'b.conf'), join(more, 'b.conf')];
    for (const file of [...files, join(etc, 'a.conf')]) await writeFile(file, 'then');
    const ids = [await trees.capture(etc), await trees.capture(more)];
    for (const file of files) await writeFile(file, 'kept');
    const restore = isNamed ? { restore: { component: B, roots } } : {};
    for (const [at, root] of (inBoth ? roots : [etc]).entries()) {
      await trees.restoreOnly(ids[at] as (typeof ids)[number], root, run, restore);
    }
    const text = `${minimal}configuration:
  a: { host: db1, paths: ['${etc}/a.conf'] }
  b: { host: db1, paths: ['${etc}/b.conf', '${base}/loop/x', '${more}'] }
`;
    const configuration = parseConfiguration(text, FILE);
    const texts = () => Promise.all(files.map((file) => readFile(file, 'utf8')));
    return { run, base, etc, more, text, configuration, texts };
  };

  const servicesOf = (
    configuration: Configuration,
    reading: () => Promise<Vault> = () => Promise.resolve(trees.test.vault),
  ): FilesRestoring => {
    const logger = pino({ level: 'silent' });
    return { configuration, host: 'db1', logger, vault: () => Promise.resolve(trees.test.vault), reading };
  };
  const away = () => Promise.resolve().then(() => fail('STORE_UNAVAILABLE', 'the store is away'));

  const foundFor = async (configuration: Configuration, component: string) => {
    const settings = componentOf(configuration, component) as HostConfigurationSettings;
    const services = servicesOf(configuration, away);
    const left = await restoresLeft(settings, NO_RECORDS, { estate: 'acme', host: 'db1', stateDirectory: '/nowhere' });
    const found = await standaloneConfiguration.find(settings, services);
    return { alone: found.map(({ run }) => run), left: left.found.map(({ run }) => run) };
  };

  it('is no restore of the other one: neither found, nor undone, nor accepted for it', async () => {
    const { run, etc, configuration, texts } = await begun(true);
    assert.deepEqual(await foundFor(configuration, A), { alone: [], left: [] });
    assert.deepEqual(await foundFor(configuration, B), { alone: [run], left: [run] });
    const services = servicesOf(configuration);
    await assert.rejects(confirmFiles(services, A, run), { code: 'NOT_FOUND' });
    await assert.rejects(rollbackFiles(services, A, run), { code: 'NOT_FOUND' });
    assert.equal((await runsInPlace(etc)).get(run)?.phase, 'exchanged');
    assert.deepEqual(await texts(), ['then', 'then']);
    // A path that cannot be looked at, and a store that does not answer, keep nobody from going back.
    await rollbackFiles(servicesOf(configuration, away), B, run);
    assert.deepEqual(await texts(), ['kept', 'kept']);
  });

  it('is accepted by what its journals tell, and not before all of it is done', async () => {
    const half = await begun(false);
    const unfinished = confirmFiles(servicesOf(half.configuration, away), B, half.run);
    await assert.rejects(unfinished, { code: 'JOURNAL_STATE', message: /more' was not begun/ });
    assert.ok(await stat((await runsInPlace(half.etc)).get(half.run)?.kept ?? ''));
    await rollbackFiles(servicesOf(half.configuration, away), B, half.run);
    assert.deepEqual(await half.texts(), ['kept', 'kept']);
    const whole = await begun(true);
    await confirmFiles(servicesOf(whole.configuration, away), B, whole.run);
    assert.deepEqual(await foundFor(whole.configuration, B), { alone: [whole.run], left: [] });
  });

  it('goes on to its one end once it has begun: what is accepted in one root is not brought back in another', async () => {
    const { run, etc, more, configuration, texts } = await begun(true);
    const services = servicesOf(configuration, away);
    const settings = componentOf(configuration, B) as HostConfigurationSettings;
    const asked = { estate: 'acme', host: 'db1', stateDirectory: '/nowhere', now: new Date(Date.now() + 600_000) };
    const told = async () => {
      const [left] = (await restoresLeft(settings, NO_RECORDS, asked)).found;
      const [alone] = await standaloneConfiguration.find(settings, services);
      return [left?.state, left?.phase, left?.dataDirectory, alone?.phase, alone?.dataDirectory];
    };
    assert.deepEqual(await told(), ['unconfirmed', undefined, etc, 'swapped', etc]);
    await confirmInPlace({ root: etc, run });
    assert.deepEqual(await told(), ['stopped', 'confirming', more, 'confirming', more]);
    await assert.rejects(rollbackFiles(services, B, run), { code: 'JOURNAL_STATE', hint: /holdfast confirm/ });
    assert.equal((await runsInPlace(more)).get(run)?.phase, 'exchanged');
    assert.deepEqual(await texts(), ['then', 'then']);
    await confirmFiles(services, B, run);
    assert.deepEqual((await told()).slice(0, 4), [undefined, undefined, undefined, 'confirmed']);
    await assert.rejects(rollbackFiles(services, B, run), { code: 'JOURNAL_STATE', message: /before is gone/ });
    // The other way round.
    const other = await begun(true);
    await rollbackInPlace({ root: other.more, run: other.run });
    const mine = componentOf(other.configuration, B) as HostConfigurationSettings;
    const [left] = (await restoresLeft(mine, NO_RECORDS, asked)).found;
    assert.deepEqual([left?.state, left?.phase], ['stopped', 'rolling back']);
    await assert.rejects(confirmFiles(servicesOf(other.configuration, away), B, other.run), {
      code: 'JOURNAL_STATE',
      hint: /holdfast rollback .* brings back/,
    });
    await rollbackFiles(servicesOf(other.configuration, away), B, other.run);
    assert.deepEqual(await other.texts(), ['kept', 'kept']);
    await assert.rejects(confirmFiles(servicesOf(other.configuration, away), B, other.run), {
      code: 'JOURNAL_STATE',
      message: /is rolled back in .*: there is nothing to confirm/,
      hint: /another restore/,
    });
  });

  it('has one end where two are asked for at the same instant, by two processes without a store', async () => {
    const ends = ['confirm', 'rollback'] as const;
    for (let round = 0; round < 2; round++) {
      const { run, base, etc, more, text, texts } = await begun(true);
      const go = join(base, 'go');
      const processes = await Promise.all(
        ends.map((end) => endingAlone({ end, component: B, run, configuration: text, go })),
      );
      await writeFile(go, '');
      const answers = await Promise.all(processes.map((each) => each.answer));
      const phases = await Promise.all([etc, more].map(async (root) => (await runsInPlace(root)).get(run)?.phase));
      const isConfirmed = phases[0] === 'confirmed';
      assert.deepEqual(answers, isConfirmed ? ['done', 'JOURNAL_STATE'] : ['JOURNAL_STATE', 'done'], `${phases}`);
      assert.deepEqual(phases, isConfirmed ? ['confirmed', 'confirmed'] : ['rolled back', 'rolled back']);
      assert.deepEqual(await texts(), isConfirmed ? ['then', 'then'] : ['kept', 'kept']);
    }
  });

  it('ends where it was ended in two ways, and says that its roots are of two states', async () => {
    const { run, etc, more, configuration, texts } = await begun(true);
    const services = servicesOf(configuration, away);
    await confirmInPlace({ root: etc, run });
    await rollbackInPlace({ root: more, run });
    for (const end of [confirmFiles, rollbackFiles])
      await assert.rejects(end(services, B, run), { code: 'JOURNAL_STATE', hint: /another restore makes one state/ });
    assert.deepEqual(await texts(), ['then', 'kept']);
    assert.deepEqual((await foundFor(configuration, B)).left, []);
  });

  it('is told, and ended, when the configuration has none of its roots any more', async () => {
    const { run, base, etc, more, text, texts } = await begun(true);
    const moved = text.replaceAll(`'${etc}/b.conf', '${base}/loop/x', '${more}'`, `'${base}/elsewhere/b.conf'`);
    const configuration = parseConfiguration(moved, FILE);
    const settings = componentOf(configuration, B) as HostConfigurationSettings;
    const common = { component: B, workflowId: '', steps: [], message: '', state: 'completed', startedAt: '' } as const;
    const filesPlan = { mode: 'in place', roots: [etc, more] };
    const restored = { ...common, run, operation: 'restoreFiles', data: { filesPlan } } as const;
    const left = async (...runs: RunRecords['runs']) => {
      const asked = { estate: 'acme', host: 'db1', stateDirectory: '/nowhere' };
      return await restoresLeft(settings, { ...NO_RECORDS, runs }, asked);
    };
    const { found, notKnown } = await left(restored);
    assert.deepEqual([found.map((each) => [each.run, each.state]), notKnown], [[[run, 'unconfirmed']], []]);
    // With one of them, the journals tell of the others.
    const half = parseConfiguration(text.replace(`'${etc}/b.conf', `, ''), FILE);
    const alone = await standaloneConfiguration.find(
      componentOf(half, B) as HostConfigurationSettings,
      servicesOf(half, away),
    );
    assert.deepEqual(
      alone.map((each) => [each.run, each.dataDirectory]),
      [[run, more]],
    );
    await trees.test.vault.putRecord(run, 'plan', { component: B, roots: [etc, more] });
    await confirmFiles(servicesOf(configuration), B, run);
    assert.deepEqual(await texts(), ['then', 'then']);
    assert.deepEqual((await left(restored)).found, []);
    // A root that is of no use by now keeps nothing unknown once somebody has ended the restore.
    await rm(etc, { recursive: true });
    await writeFile(etc, 'a file by now');
    assert.equal((await left(restored)).notKnown.length, 1);
    const ended = { ...common, run: 'confirm-1', operation: 'confirmRestore', data: { restoreRun: run } } as const;
    assert.deepEqual((await left(ended, restored)).notKnown, []);
  });

  it('is not accepted when neither journal nor plan tells where it was to be done', async () => {
    const { run, etc, configuration, texts } = await begun(false, false);
    const unread = confirmFiles(servicesOf(configuration, away), B, run);
    await assert.rejects(unread, { code: 'STORE_UNAVAILABLE' });
    await assert.rejects(confirmFiles(servicesOf(configuration), B, run), { code: 'JOURNAL_STATE' });
    assert.equal((await runsInPlace(etc)).get(run)?.phase, 'exchanged');
    await trees.test.vault.putRecord(run, 'plan', { component: B, roots: [etc] });
    await assert.rejects(confirmFiles(servicesOf(configuration), A, run), { code: 'PLAN_CHANGED' });
    // What is known is brought back; that there may be more is not kept back.
    await assert.rejects(rollbackFiles(servicesOf(configuration, away), B, run), { code: 'FILES_ROOT' });
    assert.deepEqual(await texts(), ['kept', 'kept']);
  });
});
