// Kept append-only files that are damaged, or fill the disk: captures go on without them, and tell what cannot be restored.

import assert from 'node:assert/strict';
import { access, link, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { redisWarnings } from '../../../src/domain/snapshot-words.ts';
import { appendOnlyFindings } from '../../../src/host/append-only-status.ts';
import { summarizeSnapshot } from '../../../src/host/snapshot-summary.ts';
import { run } from '../../../src/process/index.ts';
import { type KeptSet, keepNow, keptDirectory, keptSets, runKeeper } from '../../../src/redis/aof/keeper.ts';
import { keepRoom, lostSets, setAsideDirectory } from '../../../src/redis/aof/lost-sets.ts';
import { type AofDetails, captureAof, reportKept } from '../../../src/redis/index.ts';
import { CACHE, redisSetting } from '../../support/redis-capture.ts';
import { testRedis } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';
import { snapshotId } from '../../support/vault.ts';
import { waitFor } from '../../support/wait-for.ts';

const signal = new AbortController().signal;
const NAMES = { appendDirectory: 'appendonlydir', appendFile: 'appendonly.aof' };

async function setting(t: TestContext) {
  const server = await testRedis(t, { settings: ['appendonly yes', 'auto-aof-rewrite-percentage 0'] });
  const { vault } = await redisSetting(t);
  const place = { dataDirectory: server.dataDirectory, ...NAMES };
  const take = (number: number) =>
    captureAof({
      ...{ vault, place, signal, server: { source: { url: server.url }, programs: server.programs } },
      request: { snapshotId: snapshotId(number), component: CACHE, host: 'db1' },
    });
  const rewrite = async () => {
    await keepNow(place);
    await server.cli('BGREWRITEAOF');
    await waitFor('the rewrite to end', async () =>
      /aof_rewrite_in_progress:0/.test(await server.cli('INFO', 'persistence')),
    );
  };
  return { server, place, take, rewrite };
}

test('a damaged set is set aside: the capture goes on, tells the gap, and so do its run and the status', async (t) => {
  const { server, place, take, rewrite } = await setting(t);
  await server.cli('SET', 'a', '1');
  await take(1);
  await server.cli('SET', 'b', 'behind the first capture');
  await rewrite();
  await server.cli('SET', 'c', '1');
  const [old] = (await keptSets(place)).filter(({ base }) => base.sequence === 1);
  const [incremental] = old!.incrementals;
  const file = path.join(old!.directory, incremental!.name);
  const bytes = await readFile(file);
  // Where the length of the last value stands.
  assert.equal(bytes.toString('latin1', bytes.length - 31, bytes.length - 28), '$24');
  await writeFile(file, Buffer.concat([bytes.subarray(0, -31), Buffer.from('!'), bytes.subarray(-30)]));
  const second = await take(2);
  const { sets, lost } = second.engine as unknown as AofDetails;
  // The one before was captured in part, so that the next follows it by number: what it had behind that is gone all the same.
  assert.deepEqual(
    sets.map(({ follows }) => follows),
    [false],
  );
  assert.match(lost?.[0]?.why ?? '', /is damaged behind byte/);
  const { redis } = summarizeSnapshot(second);
  assert.ok(redisWarnings(redis).some((warning) => /lost before they were captured: .*is damaged/.test(warning)));
  const report = await reportKept(place, second.from);
  assert.deepEqual([report.lost, report.setAside.length, report.unkept], [[], 1, []]);
  await access(path.join(report.setAside[0] ?? '', incremental!.name));
  const findings = appendOnlyFindings(report, CACHE);
  assert.deepEqual(
    findings.map(({ severity, message }) => [severity, message.includes('set aside')]),
    [['warning', true]],
  );
  await rewrite();
  const third = (await take(3)).engine as unknown as AofDetails;
  assert.deepEqual([third.sets.map(({ follows }) => follows), third.lost], [[true, true], undefined]);
  // Files of the present set that nobody keeps are told too.
  await server.cli('BGREWRITEAOF');
  await waitFor('the rewrite to end', async () =>
    /aof_rewrite_in_progress:0/.test(await server.cli('INFO', 'persistence')),
  );
  const [unkept] = appendOnlyFindings(await reportKept(place, second.from), CACHE);
  assert.match(unkept?.message ?? '', /are not kept: .*\.4\.base/);
});

test('an incremental file that two sets share, damaged, takes only one of them away: the other is captured up to it', async (t) => {
  const { server, place, take, rewrite } = await setting(t);
  await server.cli('SET', 'a', '1');
  await rewrite();
  const [first, second] = [1, 2].map((sequence) => async () => {
    const found = (await keptSets(place)).find(({ base }) => base.sequence === sequence);
    return found as NonNullable<typeof found>;
  }) as [() => Promise<KeptSet>, () => Promise<KeptSet>];
  await keepNow(place);
  // As when somebody looked while the rewrite had opened the new file and not made its base yet.
  const [shared] = (await second()).incrementals;
  const name = shared!.name;
  await link(path.join((await second()).directory, name), path.join((await first()).directory, name));
  await server.cli('SET', 'b', '1');
  await rewrite();
  await server.cli('SET', 'c', '1');
  await writeFile(path.join((await second()).directory, name), '!', { flag: 'r+' });
  const { sets, lost } = (await take(1)).engine as unknown as AofDetails;
  assert.deepEqual(
    sets.map(({ base, incrementals }) => [base.sequence, incrementals.map(({ sequence }) => sequence)]),
    [
      [1, [1]],
      [3, [3]],
    ],
  );
  assert.deepEqual([sets[1]?.follows, lost?.length], [false, 1]);
  const { setAside } = await reportKept(place, undefined);
  assert.equal(setAside.length, 1);
  await access(path.join(setAside[0] ?? '', name));
});

test('a disk that is full, where not even a second name or a note has room, is given room: each file counts once, and all that goes is told', async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m,nr_inodes=60', 'tmpfs', dataDirectory]);
  const stop = new AbortController();
  try {
    const place = { dataDirectory, ...NAMES };
    const base = (sequence: number) => `appendonly.aof.${sequence}.base.rdb`;
    const make = async (directory: string, name: string, mebibytes: number) => {
      await mkdir(directory, { recursive: true });
      await writeFile(path.join(directory, name), Buffer.alloc(mebibytes * 1024 * 1024, 1));
    };
    const at = (sequence: number) => path.join(keptDirectory(place), `${sequence}-${base(sequence)}`);
    await make(path.join(setAsideDirectory(place), `0-${base(0)}`), base(0), 1);
    for (const sequence of [1, 2]) await make(at(sequence), base(sequence), 3);
    const shared = 'appendonly.aof.2.incr.aof';
    await make(at(1), shared, 2);
    await link(path.join(at(1), shared), path.join(at(2), shared));
    const own = path.join(dataDirectory, NAMES.appendDirectory);
    await make(own, base(4), 1);
    await writeFile(path.join(own, 'appendonly.aof.manifest'), `file ${base(4)} seq 4 type b\n`);
    assert.equal((await reportKept(place, undefined)).waitingBytes, 8 * 1024 * 1024);
    await assert.rejects(writeFile(path.join(dataDirectory, 'other'), Buffer.alloc(16 * 1024 * 1024)), {
      code: 'ENOSPC',
    });
    const filling = async () => {
      for (let number = 0; ; number++) await writeFile(path.join(dataDirectory, `empty-${number}`), '');
    };
    await assert.rejects(filling(), { code: 'ENOSPC' });
    const gone: string[] = [];
    const troubles: unknown[] = [];
    const keeper = runKeeper(place, {
      signal: stop.signal,
      onTrouble: (error) => troubles.push(error),
      afterLook: async (presentId) => void gone.push(...(await keepRoom(place, presentId)).map(({ why }) => why)),
    });
    await waitFor('the present set to be kept', async () => (await readdir(keptDirectory(place))).length === 1);
    stop.abort();
    await keeper;
    assert.deepEqual(
      gone.map((why) => why.split(' were let go')[0]),
      ['1.0 MiB that were set aside', '3.0 MiB', '5.0 MiB'],
    );
    assert.deepEqual(
      (await lostSets(place, undefined)).map(({ sequence }) => sequence),
      [0, 1, 2],
    );
    assert.deepEqual(troubles, []);
  } finally {
    stop.abort();
    await run('umount', [dataDirectory]);
  }
});

test('the present files of the server, damaged, are no set to be given up: nothing is committed until it makes new ones', async (t) => {
  const { server, place, take } = await setting(t);
  await server.cli('SET', 'a', '1');
  const { incrementals, directory } = await keepNow(place);
  const file = path.join(directory, incrementals[0]?.name ?? '');
  await writeFile(file, `!${await readFile(file, 'latin1')}`);
  await assert.rejects(take(1), { code: 'BACKUP_INVALID', hint: /BGREWRITEAOF/ });
  await server.cli('BGREWRITEAOF');
  await waitFor('the rewrite to end', async () =>
    /aof_rewrite_in_progress:0/.test(await server.cli('INFO', 'persistence')),
  );
  const { sets, lost } = (await take(1)).engine as unknown as AofDetails;
  assert.deepEqual([sets.length, lost?.length], [1, 1]);
});

test('what only we keep takes at most half of what is free without it: the oldest set goes first, and is noted', async (t) => {
  const dataDirectory = await temporaryDirectory(t);
  await run('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', dataDirectory]);
  try {
    const place = { dataDirectory, ...NAMES };
    const kept = keptDirectory(place);
    for (const sequence of [1, 2, 3]) {
      const base = `appendonly.aof.${sequence}.base.rdb`;
      await mkdir(path.join(kept, `${sequence}-${base}`), { recursive: true });
      await writeFile(path.join(kept, `${sequence}-${base}`, base), Buffer.alloc(4 * 1024 * 1024, sequence));
    }
    const ids = (await readdir(kept)).sort();
    // 8 MiB of two sets beside 4 MiB that are free: without the first, 4 MiB beside 8.
    const gone = await keepRoom(place, ids[2] ?? '');
    assert.deepEqual(
      gone.map(({ id, sequence }) => [id, sequence]),
      [[ids[0], 1]],
    );
    assert.deepEqual((await readdir(kept)).sort(), ids.slice(1));
    assert.deepEqual(await keepRoom(place, ids[2] ?? ''), []);
    assert.match((await lostSets(place, undefined))[0]?.why ?? '', /4\.0 MiB were let go: the disk is nearly full/);
    const report = { waitingBytes: 4, freeBytes: 7, unkept: [], setAside: [], lost: gone };
    const told = appendOnlyFindings(report, CACHE).map(({ message }) => message);
    assert.deepEqual(
      [told.length, /were lost before/.test(told[0] ?? ''), /wait for a capture/.test(told[1] ?? '')],
      [2, true, true],
    );
  } finally {
    await run('umount', [dataDirectory]);
  }
});
