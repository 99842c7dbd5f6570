// A restore of files in place, looked at once more: what the run itself has made wrong is found, and what others changed meanwhile is told as theirs.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, chmod, lstat, mkdir, readFile, rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterNow, type Reading } from '../../../src/files/in-place/file-system-clock.ts';
import { compareInPlace, confirmInPlace, rollbackInPlace } from '../../../src/files/index.ts';
import { removeAttribute, setAttribute, setTimes } from '../../../src/system/index.ts';
import type { SnapshotId, SnapshotReader } from '../../../src/vault/index.ts';
import { everything, InPlaceTrees, namesIn, onceStaged, writeNames } from '../../support/in-place.ts';

const RUN = 'run';
const THEN = [
  ...['same', 'also-same', 'quiet/same', 'quiet/gone', 'replaced', 'settled', 'busy/back', 'busy/stays'],
  ...['a', 'b', 'gone', 'one', 'other'].map((name) => `made/${name}`),
];

describe('what a comparison after a restore of files in place tells apart', () => {
  let trees: InPlaceTrees;

  before(async () => {
    trees = await InPlaceTrees.make();
  });
  after(() => trees[Symbol.asyncDispose]());

  /** One name for everything that a restore does: replaced, created with its directory, settled, removed, and left as it is. */
  const changed = async (name: string): Promise<{ root: string; id: SnapshotId }> => {
    const root = await trees.root(name);
    await writeNames(root, THEN, 'then');
    for (const each of ['made/a', 'made/b', 'same']) setAttribute(join(root, each), 'user.kept', Buffer.from('x'));
    const id = await trees.capture(root);
    await rm(join(root, 'made'), { recursive: true });
    await rm(join(root, 'busy/back'));
    await writeNames(root, ['replaced', 'surplus/file', 'too-many'], 'now');
    await chmod(join(root, 'settled'), 0o604);
    return { root, id };
  };
  it('counts what it has compared: all that was asked for, changed or not, and the directories that were made on the way', async () => {
    const root = await trees.root('counted');
    await writeNames(root, ['way/deep/wanted/one', 'way/deep/wanted/two', 'way/other', 'same'], 'then');
    const id = await trees.capture(root);
    const compare = async (run: string, path: string) => {
      const selection = { paths: [join(root, path)] };
      const { counts } = await trees.restore(id, root, run, { selection });
      const { entries, wrong } = await trees.compare(id, root, run, { selection });
      assert.deepEqual(wrong.count, 0);
      await confirmInPlace({ root, run });
      return [counts.create.entries, counts.replace.entries, entries];
    };
    await rm(join(root, 'way'), { recursive: true });
    // Two directories on the way, the one that was asked for, and what is in it.
    assert.deepEqual(await compare('one', 'way/deep/wanted'), [5, 0, 5]);
    await writeFile(join(root, 'way/deep/wanted/one'), 'now');
    assert.deepEqual(await compare('two', 'way/deep/wanted'), [0, 1, 3]);
  });

  const restored = async (name: string, guard = {}): Promise<{ root: string; id: SnapshotId }> => {
    const made = await changed(name);
    await trees.restore(made.id, made.root, RUN, { guard });
    return made;
  };
  type Time = 'began' | 'from' | 'done';
  const journalOf = (root: string) => join(root, '.holdfast', RUN, 'journal.jsonl');

  /** The times that the journal has of the run, from one of them on, as other ones. */
  const retime = async (root: string, first: Time, change: (each: Reading) => Reading): Promise<void> => {
    const all = ['began', 'from', 'done'];
    const names = all.slice(all.indexOf(first)).join('|');
    const pattern = new RegExp(`"(${names})Ns":"(\\d+)","\\1At":"([^"]*)"`, 'g');
    const text = await readFile(journalOf(root), 'utf8');
    assert.ok(pattern.test(text), text);
    const changed = text.replace(pattern, (_, name: string, before: string, mark: string) => {
      const { ns, at } = change({ ns: BigInt(before), at: mark });
      return `"${name}Ns":"${ns}","${name}At":"${at}"`;
    });
    await writeFile(journalOf(root), changed);
  };
  /** As if what was done to the tree since had been done before one of the times that the journal has of the run, and of all later ones. */
  const asIfBefore = async (root: string, time: Time): Promise<void> => {
    const later = await afterNow({ directory: join(root, '.holdfast', RUN) });
    await retime(root, time, () => later);
  };

  /** Of the same length, and with its old time. */
  const otherBytes = async (file: string): Promise<void> => {
    const { size, mtimeNs } = await lstat(file, { bigint: true });
    await writeFile(file, 'x'.repeat(Number(size)), { flag: 'r+' });
    setTimes(file, { atimeNs: mtimeNs, mtimeNs });
  };

  /** Each at names of its own; what the comparison says of it. */
  type Planted = readonly [act: (root: string) => unknown, ...says: RegExp[]];

  /** Of what the exchange did. */
  const exchanged: readonly Planted[] = [
    // A file that came in and is gone.
    [(root) => rm(join(root, 'made/gone')), /made\/gone is missing$/],
    [(root) => chmod(join(root, 'made/a'), 0o666), /made\/a differs in mode$/],
    [(root) => removeAttribute(join(root, 'made/b'), 'user.kept'), /made\/b differs in attributes$/],
    [(root) => chmod(join(root, 'settled'), 0o604), /settled differs in mode$/],
    // A file too many, which was to be taken away.
    [(root) => rename(join(root, '.holdfast', RUN, 'old/too-many'), join(root, 'too-many')), /too-many is not in the/],
    [
      async (root) => {
        await rename(join(root, 'made/one'), join(root, 'made/third'));
        await rename(join(root, 'made/other'), join(root, 'made/one'));
        await rename(join(root, 'made/third'), join(root, 'made/other'));
      },
      /made\/one is another one$/,
      /made\/other is another one$/,
    ],
  ];
  /** Of what should have been in the list. */
  const listed: readonly Planted[] = [
    [(root) => rm(join(root, 'quiet/gone')), /quiet\/gone is missing$/],
    [(root) => chmod(join(root, 'quiet/same'), 0o777), /quiet\/same differs in mode$/],
    [(root) => writeFile(join(root, 'quiet/surplus'), 'x'), /quiet\/surplus is not in the snapshot$/],
    [(root) => mkdir(join(root, 'quiet/empty')), /quiet\/empty is not in the snapshot$/],
  ];

  for (const [what, plants, time] of [
    ['exchanged', exchanged, 'from'],
    ['listed', listed, 'began'],
  ] as const) {
    it(`rejects all that was ${what} wrongly, and tells the same as others' when they did it later`, async () => {
      const { root, id } = await restored(`wrongly-${what}`);
      for (const [act] of plants) await act(root);
      const says = plants.flatMap(([, ...each]) => each);
      const theirs = await trees.compare(id, root, RUN);
      assert.deepEqual(theirs.wrong, { count: 0, first: [] });
      await asIfBefore(root, time);
      const { wrong } = await trees.compare(id, root, RUN);
      for (const each of says) {
        assert.ok(
          theirs.changedSince.first.some((words) => each.test(words)),
          `${each} of ${theirs.changedSince.first}`,
        );
        assert.ok(
          wrong.first.some((words) => each.test(words)),
          `${each} of ${wrong.first}`,
        );
      }
      const others = wrong.first.filter((words) => !says.some((each) => each.test(words)));
      assert.deepEqual(others, []);
    });
  }

  it('rejects what still waits where it was staged, whatever others did around it', async () => {
    const { root, id } = await restored('waiting');
    await rename(join(root, 'busy/back'), join(root, '.holdfast', RUN, 'new/busy/back'));
    const waits = [`${join(root, 'busy/back')} was not brought in`];
    assert.deepEqual((await trees.compare(id, root, RUN)).wrong.first, waits);
    await rename(join(root, 'busy'), join(root, 'busy.old'));
    await mkdir(join(root, 'busy'));
    assert.deepEqual((await trees.compare(id, root, RUN)).wrong.first, waits);
  });

  it('tells what others may have done between exchange and done, and rejects only what they cannot', async () => {
    const { root, id } = await changed('meanwhile');
    const release = await trees.root('release');
    await writeNames(release, ['same'], 'released');
    await trees.restore(id, root, RUN);
    // A consumer, a mailbox, a rotation of logs, a release, a name that was there for a moment.
    await rm(join(root, 'made/gone'));
    await rename(join(root, 'made/one'), join(root, 'made/one:2,S'));
    await rename(join(root, 'made/b'), join(root, 'made/other'));
    await rename(join(root, 'quiet'), join(root, 'quiet.old'));
    await rename(release, join(root, 'quiet'));
    await utimes(join(root, 'busy'), 1, 1);
    const plants = ['made/a differs in mode', 'replaced differs in content', 'settled differs in mode'];
    await chmod(join(root, 'made/a'), 0o666);
    await chmod(join(root, 'settled'), 0o604);
    await otherBytes(join(root, 'replaced'));
    await asIfBefore(root, 'done');
    const { wrong, changedSince } = await trees.compare(id, root, RUN);
    assert.deepEqual(
      wrong.first,
      plants.map((each) => join(root, each)),
    );
    const told = [
      ...['gone is missing', 'one is missing', 'b is missing', 'other is another one'].map((each) => `made/${each}`),
      ...['quiet/same differs in ', 'quiet/gone is missing', 'busy differs in time'],
    ];
    for (const each of told)
      assert.ok(
        changedSince.first.some((words) => words.startsWith(join(root, each))),
        `${each} of ${changedSince.first}`,
      );
  });

  it('gives others all the time between two attempts of an exchange, but for the bytes', async () => {
    const { root, id } = await changed('resumed');
    const check = () => Promise.resolve(assert.ok(!existsSync(join(root, 'made/a')), 'cut off'));
    await assert.rejects(trees.restoreOnly(id, root, RUN, { guard: { check, checkEveryMs: 0 } }), /cut off/);
    await chmod(join(root, 'made/a'), 0o666);
    await rm(join(root, 'made/b'));
    await trees.restore(id, root, RUN);
    const told = (await trees.compare(id, root, RUN)).changedSince.first;
    assert.deepEqual(
      told,
      ['made/a differs in mode', 'made/b is missing'].map((each) => join(root, each)),
    );
    await otherBytes(join(root, 'made/one'));
    await asIfBefore(root, 'done');
    assert.deepEqual((await trees.compare(id, root, RUN)).wrong.first, [
      `${join(root, 'made/one')} differs in content`,
    ]);
  });

  it('takes nothing that others changed for its own when the clock was set back meanwhile, and says so', async () => {
    const { root, id } = await restored('set-back');
    // By how much a clock was set back is known to a tenth of a second.
    await sleep(300);
    await rename(join(root, 'busy/back'), join(root, '.holdfast', RUN, 'new/busy/back'));
    for (const [act] of [...exchanged, ...listed]) await act(root);
    await sleep(300);
    const waits = [`${join(root, 'busy/back')} was not brought in`];
    // What was noted is a minute ahead of what others have got since.
    await retime(root, 'began', ({ ns, at }) => ({ ns: ns + 60_000_000_000n, at }));
    const behind = await trees.compare(id, root, RUN);
    assert.deepEqual(behind.wrong.first, waits);
    assert.match(behind.warnings.join(), /was set back by 1 min since the restore began/);
    const told = exchanged.length + listed.length;
    assert.ok(behind.changedSince.count >= told, `${behind.changedSince.first}`);
    // Whoever made it before that is known all the same.
    const later = await afterNow({ directory: join(root, '.holdfast', RUN) });
    await retime(root, 'began', () => ({ ns: later.ns + 60_000_000_000n, at: later.at }));
    const known = await trees.compare(id, root, RUN);
    assert.ok(known.wrong.count >= told, `${known.wrong.first}`);
    assert.equal(known.warnings.length, 1);
    // A clock that does not move tells nothing, and neither does one that is behind after the machine was started again.
    for (const at of ['still', 'another-boot/1000']) {
      await retime(root, 'began', ({ ns }) => ({ ns, at }));
      const unknown = await trees.compare(id, root, RUN);
      assert.deepEqual(unknown.wrong.first, waits, at);
      assert.match(unknown.warnings.join(), /cannot be known/);
    }
  });

  it('rejects wrong bytes of the right length under the right time', async () => {
    const { root, id } = await changed('bytes');
    const real = await trees.test.vault.openSnapshot(id);
    const reader: Pick<SnapshotReader, 'snapshot' | 'entries' | 'restoreFiles'> = {
      snapshot: real.snapshot,
      entries: () => real.entries(),
      restoreFiles: async (files, options) => {
        const done = await real.restoreFiles(files, options);
        await otherBytes(join(options.directory, 'made/a'));
        return done;
      },
    };
    await trees.restoreOnly(id, root, RUN, { reader });
    const { wrong, changedSince } = await trees.compare(id, root, RUN);
    assert.deepEqual(
      wrong.first,
      [`${root.slice(1)}/made/a differs in content`].map((each) => `/${each}`),
    );
    assert.equal(changedSince.count, 0);
    real.close();
  });

  it('exchanges nothing that was not staged as it is wanted', async () => {
    const { root, id } = await changed('staged');
    const now = await namesIn(root);
    const real = await trees.test.vault.openSnapshot(id);
    const spoilt = (spoil: (file: string) => void | Promise<void>) => ({
      snapshot: real.snapshot,
      entries: () => real.entries(),
      restoreFiles: async (...args: Parameters<SnapshotReader['restoreFiles']>) => {
        const done = await real.restoreFiles(...args);
        await spoil(join(args[1].directory, 'made/a'));
        return done;
      },
    });
    const spoilers: readonly [RegExp, (file: string) => void | Promise<void>][] = [
      [/differs in mode/, (file) => chmod(file, 0o600)],
      [/differs in time/, (file) => utimes(file, 5, 5)],
      [/differs in attributes/, (file) => removeAttribute(file, 'user.kept')],
      [/differs in content/, (file) => appendFile(file, 'x')],
      [/it is not there/, (file) => rm(file)],
      [/nobody wants it/, (file) => writeFile(`${file}-too`, 'x')],
    ];
    for (const [number, [message, spoil]] of spoilers.entries()) {
      const run = `spoilt-${number}`;
      await assert.rejects(
        trees.restore(id, root, run, { reader: spoilt(spoil) }),
        (error: Error & { code: string }) => {
          assert.equal(error.code, 'TARGET_UNFIT');
          assert.match(error.message, message);
          return true;
        },
      );
      assert.deepEqual(await namesIn(root), now);
      await rollbackInPlace({ root, run });
    }
    real.close();
  });

  it('lets others write before, between and after, and calls nothing of it wrong', async () => {
    const { root, id } = await restored('others', {
      ...onceStaged(join(trees.base, 'others'), RUN, async () => {
        const there = join(trees.base, 'others');
        // What is to be settled, what is right, what is new, and what is gone.
        await appendFile(join(there, 'settled'), ' and more');
        await appendFile(join(there, 'quiet/same'), ' and more');
        await rm(join(there, 'also-same'));
        await writeFile(join(there, 'busy/theirs'), 'x');
        await mkdir(join(there, 'surplus/of-theirs'), { recursive: true });
      }),
    });
    const between = await trees.compare(id, root, RUN);
    assert.deepEqual(between.wrong, { count: 0, first: [] });
    const told = between.changedSince.first.join('\n');
    for (const name of ['settled', 'quiet/same', 'also-same', 'busy/theirs', 'surplus/of-theirs']) {
      assert.match(told, new RegExp(`/${name} `), told);
    }
    await writeFile(join(root, 'made/a.new'), 'theirs');
    await rename(join(root, 'made/a.new'), join(root, 'made/a'));
    await rm(join(root, 'made/b'));
    await rm(join(root, 'busy'), { recursive: true });
    await chmod(join(root, 'replaced'), 0o600);
    const later = await trees.compare(id, root, RUN);
    assert.deepEqual(later.wrong, { count: 0, first: [] });
    for (const name of ['made/a', 'made/b', 'busy', 'busy/stays', 'replaced']) {
      assert.match(later.changedSince.first.join('\n'), new RegExp(`/${name} `));
    }
  });

  it('refuses to compare what has not been exchanged, or has ended', async () => {
    const { root, id } = await restored('ended');
    await rollbackInPlace({ root, run: RUN });
    await assert.rejects(trees.compare(id, root, RUN), { code: 'JOURNAL_STATE' });
    await assert.rejects(trees.compare(id, root, 'another'), { code: 'JOURNAL_STATE' });
    const reader = await trees.test.vault.openSnapshot(id);
    const asked = { reader, root: join(root, 'quiet'), run: RUN, signal: trees.signal };
    await assert.rejects(compareInPlace({ ...asked, rules: everything }), { code: 'JOURNAL_STATE' });
    reader.close();
  });
});
