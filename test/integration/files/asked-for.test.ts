// What somebody asks a restore, an export or a comparison of files for, and what is said when it is not there.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  type Moment,
  momentFromDate,
  momentFromUnixMicros,
  parseMoment,
  shortMoment,
  unixMicros,
  wholeSecond,
} from '../../../src/domain/moment.ts';
import type { SnapshotTarget } from '../../../src/domain/snapshot-target.ts';
import {
  captureFiles,
  chooseSnapshot,
  diffFiles,
  exportToFile,
  planFiles,
  type Selection,
} from '../../../src/files/index.ts';
import { chooseSnapshot as chooseDump } from '../../../src/postgres/logical/load/request.ts';
import { chooseRedis } from '../../../src/redis/plan/choose.ts';
import type { SnapshotOnCopies } from '../../../src/vault/index.ts';
import { everything } from '../../support/in-place.ts';
import { snapshotId, type TestVault, testVault } from '../../support/vault.ts';

const component = 'files/uploads';

describe('what is asked for of files', () => {
  let test: TestVault;
  let base: string;
  let taken: SnapshotOnCopies;
  const signal = AbortSignal.timeout(600_000);
  const at = (name: string) => join(base, 'source', name);

  before(async () => {
    test = await testVault();
    base = await mkdtemp(join(tmpdir(), 'holdfast-asked-'));
    await mkdir(at('in'), { recursive: true });
    for (const name of ['in/a.png', 'in/b.txt']) await writeFile(at(name), name);
    taken = await captureFiles({
      vault: test.vault,
      source: { roots: [join(base, 'source')], rules: everything },
      request: { component, class: 'files', host: 'here', snapshotId: snapshotId(1) },
      signal,
    });
  });
  after(async () => {
    await rm(base, { recursive: true });
    await test[Symbol.asyncDispose]();
  });

  const plan = (selection: Selection, target: SnapshotTarget, beside: boolean) =>
    planFiles({
      ...{ vault: test.vault, run: 'run', component, host: 'here', rules: everything, signal, target, selection },
      rootsNow: () => Promise.resolve([]),
      ...(beside && { directory: join(base, 'beside') }),
    });
  const targets = (): readonly SnapshotTarget[] => [
    { type: 'latest' },
    { type: 'snapshot', id: taken.id },
    { type: 'time', moment: momentFromDate(new Date()) },
  ];

  const nowhere: readonly [string, () => Selection, string][] = [
    ['a path', () => ({ paths: [at('never')] }), 'never'],
    ['a path beside one that is there', () => ({ paths: [at('in'), at('ne\\xffver')] }), 'ne\\xffver'],
    ['a pattern', () => ({ patterns: ['*.never'] }), '*.never'],
    ['every pattern', () => ({ patterns: ['*.never', '*.nor'] }), '*.nor'],
    ['a path, beside a pattern that matches', () => ({ paths: [at("it's")], patterns: ['*.png'] }), "it's"],
    ['what a pattern takes out again', () => ({ patterns: ['*.png', '!*.png'] }), '*.png'],
  ];
  for (const [title, selection, named] of nowhere) {
    it(`is refused by name where it is not there: ${title}`, async () => {
      const missing = (error: Error & { code?: string; hint?: string }) => {
        assert.deepEqual([error.code, error.message.includes(named)], ['NOT_FOUND', true], error.message);
        assert.match(error.hint ?? '', /^`holdfast files find \S+ files\/uploads` tells/);
        return true;
      };
      for (const target of targets()) {
        for (const beside of [true, false]) await assert.rejects(plan(selection(), target, beside), missing);
      }
      const reader = await test.vault.openSnapshot(snapshotId(1));
      const file = join(base, 'never.tar');
      await assert.rejects(exportToFile(file, { reader, selection: selection(), signal }), missing);
      reader.close();
    });
  }

  it('is warned of where only one of several patterns matches nothing', async () => {
    const { warnings, entries } = await plan({ patterns: ['*.png', '*.never'] }, { type: 'latest' }, true);
    assert.deepEqual([warnings, entries.files], [["nothing in the snapshot matches '*.never'"], 1]);
  });

  const sides = () =>
    ({
      ...{ vault: test.vault, signal, disk: { roots: [join(base, 'source')], rules: everything } },
      component,
      one: 'latest',
      other: 'now',
      host: 'here',
      timezone: 'UTC',
    }) as const;

  it('is on neither side of a comparison', async () => {
    await assert.rejects(diffFiles({ ...sides(), paths: [at('in'), at('never')] }), {
      code: 'NOT_FOUND',
      message: `neither ${taken.id} nor the disk has '${at('never')}'`,
      hint: `\`holdfast files find ${at('never')} files/uploads\` tells in which snapshots it is`,
    });
  });

  it('is in no root of a comparison, though it is there on the disk: the roots are named', async () => {
    await writeFile(join(base, 'beside.txt'), 'there');
    await assert.rejects(diffFiles({ ...sides(), paths: [join(base, 'beside.txt')] }), {
      code: 'NOT_FOUND',
      message: `'${join(base, 'beside.txt')}' is in no root of ${component}, of ${taken.id} or of the disk`,
      hint: `name a path in one of its roots: '${join(base, 'source')}'`,
    });
    const { counts } = await diffFiles({ ...sides(), paths: [base] });
    assert.deepEqual(counts, { created: 0, changed: 0, removed: 0, same: 4 });
  });

  it('may be the beginning of what can be restored, as it is shown: the oldest snapshot', async () => {
    for (const moment of [taken.from, wholeSecond(taken.from)]) {
      const { snapshot, warnings } = await plan({}, { type: 'time', moment }, true);
      assert.equal(snapshot.id, taken.id);
      assert.ok((snapshot.skewSeconds ?? 0) < 0);
      assert.match(warnings[0] ?? '', /^no snapshot was complete by then: this one, the oldest, was begun at /);
    }
    const between = momentFromUnixMicros(unixMicros(taken.from) + 1n);
    assert.ok(between < taken.to);
    const begun = shortMoment(wholeSecond(taken.from));
    await assert.rejects(plan({}, { type: 'time', moment: between }, true), {
      code: 'TARGET_OUTSIDE',
      hint: `the oldest is complete from \`--to ${shortMoment(taken.to)}\` on; \`--to snapshot:${taken.id}\` or its beginning, \`--to ${begun}\`, gives it back with what was written until then`,
    });
    const before = parseMoment('2020-01-01T00:00:00Z', 'UTC') as Moment;
    await assert.rejects(plan({}, { type: 'time', moment: before }, true), { code: 'TARGET_OUTSIDE' });
    const { warnings } = await plan({}, { type: 'time', moment: taken.to }, true);
    assert.deepEqual(warnings, []);
  });

  it("is another component's snapshot: that is said", async () => {
    const target = { type: 'snapshot', id: taken.id } as const;
    const theirs = (other: string) => ({
      code: 'NOT_FOUND',
      message: `'${taken.id}' is a snapshot of ${component}, not of ${other}`,
      hint: `\`holdfast list ${other}\` shows those of ${other}, \`holdfast restore ${component} --to snapshot:${taken.id} --dry-run\` tells what it would give back`,
    });
    await assert.rejects(chooseSnapshot(test.vault, 'configuration/etc', target), theirs('configuration/etc'));
    await assert.rejects(chooseRedis(test.vault, 'redis/cache', target), theirs('redis/cache'));
    const load = {
      ...{ component: 'database/main' as const, host: 'here', run: 'run', estate: 'estate', snapshot: taken.id },
      ...{ wanted: { type: 'database' as const }, globals: false },
    };
    await assert.rejects(chooseDump(test.vault, load), theirs('database/main'));
    const nobody = { type: 'snapshot', id: '20200101T000000Z-00000000' } as const;
    await assert.rejects(chooseSnapshot(test.vault, component, nobody), {
      code: 'NOT_FOUND',
      message: `${component} has no snapshot '20200101T000000Z-00000000', and no other component has it`,
    });
  });
});
