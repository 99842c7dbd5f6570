// A restore into a stopped server that somebody started, confirmed later: clients have used it since, and that is no reason to refuse.

import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { confirmInPlace, type RdbDetails, restoreInPlace } from '../../../src/redis/index.ts';
import { requireTaken } from '../../../src/redis/restore/loaded-data.ts';
import { captured, LAYOUT } from '../../support/redis-restore.ts';
import { testRedis } from '../../support/redis-server.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const signal = new AbortController().signal;
const EACH_KEY = "for _, key in ipairs(redis.call('KEYS', '*')) do redis.call('PEXPIRE', key, 3600000) end";

test('what clients made of the data, a change of role and another start are no reason to refuse; that most keys are missing is, and where nothing can be compared any more it is a warning', async (t) => {
  const setting = await captured(t, 'redis7', ['save 3600 1']);
  const { vault, server, snapshot } = setting;
  const { dataDirectory, programs, url } = server;
  const place = {
    ...{ vault, snapshot, programs, dataDirectory, run: 'restore-00000001', signal, source: { url } },
    layout: { ...LAYOUT, isAppendOnly: false },
  };
  const { facts } = snapshot.engine as unknown as RdbDetails;
  const taken = (of = facts) => requireTaken({ url }, of, dataDirectory);
  await server.stop();
  await restoreInPlace(place);
  await server.start();

  // A morning of clients: every expiry is another one. It came under Sentinel, became a replica, and writes append-only files.
  await server.cli('EVAL', EACH_KEY, '0');
  await server.cli('CONFIG', 'SET', 'appendonly', 'yes');
  const watcher = await server.connect();
  t.after(() => watcher.close());
  await watcher.call('be Sentinel', 'CLIENT', 'SETNAME', 'sentinel-0-cmd');
  const primary = await testRedis(t);
  await primary.cli('ACL', 'SETUSER', 'default', '-psync', '-sync');
  await server.cli('REPLICAOF', '127.0.0.1', String(primary.port));
  assert.deepEqual(await taken(), []);
  await assert.rejects(requireTaken({ url }, facts, await temporaryDirectory(t)), { code: 'TARGET_UNFIT' });

  // Started again: its own account is of other data from here on.
  await server.cli('REPLICAOF', 'NO', 'ONE');
  await server.cli('CONFIG', 'SET', 'appendonly', 'no');
  await server.cli('SET', 'by a client', '1');
  await server.stop();
  await server.start();
  assert.deepEqual(await taken(), []);
  const over = facts.samples.map((sample) => ({ ...sample, key: btoa(`no ${sample.key}`), expiresAtMs: 1 }));
  for (const of of [
    { ...facts, keys: 0, databases: [], samples: [] },
    { ...facts, samples: over },
  ]) {
    assert.match((await taken(of)).join(), /could not be compared any more/);
  }
  const later = over.map((sample) => ({ ...sample, expiresAtMs: Date.now() + 86_400_000 }));
  await assert.rejects(taken({ ...facts, samples: later }), { code: 'CHECK_FAILED', message: /is missing/ });
  await server.cli('FLUSHALL');
  await assert.rejects(confirmInPlace(place), (error: Error & { code?: string; hint?: string }) => {
    assert.equal(error.code, 'CHECK_FAILED');
    assert.match(error.message, /does not have what was brought in: .*is missing/);
    assert.doesNotMatch(`${error.message} ${error.hint}`, /roll/);
    assert.match(error.hint ?? '', /confirm again/);
    return true;
  });
  const kept = path.join(dataDirectory, '.holdfast', place.run);
  assert.ok((await readdir(kept)).includes('old'));

  const journal = path.join(kept, 'journal.jsonl');
  const text = await readFile(journal, 'utf8');
  await writeFile(journal, text.replace(/"samples":\[.*?\]/g, '"samples":[]'));
  assert.match((await confirmInPlace(place)).join(), /could not be compared any more/);
  assert.ok(!(await readdir(kept)).includes('old'));
});
