// One restore in place of a component at a time, whichever way it takes: into the stopped server, the whole running one, or some of its keys.

import assert from 'node:assert/strict';
import { access, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { pino } from 'pino';
import { parseConfiguration } from '../../../config/index.ts';
import { rollbackDoes } from '../../../src/cli/rollback-words.ts';
import type { RestoreRedisInput } from '../../../src/domain/operations.ts';
import { confirmRedis, rollbackRedis } from '../../../src/host/end-redis.ts';
import { planRedisRestore } from '../../../src/host/plan-redis.ts';
import { redisOn } from '../../../src/host/redis-places.ts';
import { giveRedis } from '../../../src/host/restore-redis.ts';
import { standaloneRedis } from '../../../src/host/standalone-redis.ts';
import { FILE, minimal } from '../../support/configuration.ts';
import { CACHE } from '../../support/redis-capture.ts';
import { captured, contentAt } from '../../support/redis-restore.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

const signal = new AbortController().signal;
const ways = { stopped: {}, live: { live: true }, keys: { pattern: 'string:*' } } as const;
const runs = { stopped: 'restore-0000000a', live: 'restore-0000000b', keys: 'restore-0000000c' } as const;
type Way = keyof typeof ways;

test('while a restore in place waits for a word, every other one of the component is refused, by the plan and by one that was planned before', async (t) => {
  const { vault, server, snapshot, before, after } = await captured(t, 'redis8', ['save 3600 1']);
  const { programs, dataDirectory } = server;
  const state = await temporaryDirectory(t);
  await writeFile(path.join(state, 'url'), server.url, { mode: 0o600 });
  const program = (name: string) => path.join(programs, `redis-${name}`);
  const text = `${minimal.replace('{ site: home } }', `{ site: home, stateDirectory: ${state} } }`)}redis:
  cache:
    host: db1
    url: file:${path.join(state, 'url')}
    programs: ${programs}
    dataDirectory: ${dataDirectory}
    service:
      commands:
        start: "${program('server')} ${server.configuration} --daemonize yes"
        stop: "${program('cli')} -s ${server.socket} shutdown save"
`;
  const opened = () => Promise.resolve(vault);
  const configuration = parseConfiguration(text, FILE);
  const services = { configuration, host: 'db1', logger: pino({ level: 'silent' }), vault: opened, reading: opened };
  const planned = async (way: Way) => {
    const input: RestoreRedisInput = {
      ...{ estate: 'acme', component: CACHE, host: 'db1', digest: configuration.digest, by: 'test' },
      ...{ to: `snapshot:${snapshot.id}`, approval: 'never', approveWithinSeconds: 60 },
      ...ways[way],
    };
    return await planRedisRestore(services, runs[way], input, { signal, counts: false });
  };
  const give = async (plan: Awaited<ReturnType<typeof planned>>) =>
    await giveRedis(services, plan, { signal, onNote: () => undefined });
  const plans = { stopped: await planned('stopped'), live: await planned('live'), keys: await planned('keys') };
  const isRefused = async (way: Way, open: Way) => {
    const { blockers = [] } = await planned(way);
    assert.deepEqual(
      blockers.map(({ code }) => code),
      ['JOURNAL_STATE'],
    );
    const message = new RegExp(`'${runs[open]}' is exchanged and was neither confirmed nor rolled back; .*'/`);
    const hint = `\`holdfast confirm ${runs[open]}\` or \`holdfast rollback ${runs[open]}\` first`;
    assert.match(blockers[0]?.message ?? '', message);
    assert.equal(blockers[0]?.hint, hint);
    await assert.rejects(give(plans[way]), { code: 'JOURNAL_STATE', message, hint });
  };
  try {
    for (const open of ['keys', 'live'] as const) {
      assert.deepEqual(plans[open].blockers, undefined);
      await give(plans[open]);
      const content = await contentAt(server.url);
      await isRefused('stopped', open);
      await isRefused(open === 'live' ? 'keys' : 'live', open);
      assert.deepEqual(await contentAt(server.url), content);
      await assert.rejects(access(path.join(dataDirectory, '.holdfast', runs.stopped)), { code: 'ENOENT' });
      const settings = redisOn(services, CACHE);
      const found = await standaloneRedis.find(settings, services);
      assert.equal(found.find(({ run }) => run === runs[open])?.way, open);
      assert.match(rollbackDoes(CACHE, open), /running server/);
      await rollbackRedis(services, CACHE, runs[open]);
      assert.deepEqual(await contentAt(server.url), after);
    }
    assert.deepEqual((await planned('stopped')).blockers, undefined);
    await give(plans.stopped);
    await isRefused('live', 'stopped');
    await isRefused('keys', 'stopped');
    assert.deepEqual(await contentAt(server.url), before);
    const found = await standaloneRedis.find(redisOn(services, CACHE), services);
    const { way } = found.find(({ run }) => run === runs.stopped) ?? {};
    assert.match(rollbackDoes(CACHE, way), /^stops the server and brings the old data back/);
    await confirmRedis(services, CACHE, runs.stopped);
    assert.deepEqual((await planned('live')).blockers, undefined);
  } finally {
    // The service started one that is no child of ours.
    await server.cli('SHUTDOWN', 'NOSAVE').catch(() => undefined);
  }
});
