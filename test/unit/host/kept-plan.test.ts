// Plans of restores of Redis that this host keeps: as long as their restore is open, and a while longer.

import assert from 'node:assert/strict';
import { mkdir, readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { parseConfiguration } from '../../../config/index.ts';
import type { RedisPlan } from '../../../src/domain/redis-restore.ts';
import { keepRedisPlan, keptRedisPlan } from '../../../src/host/kept-plan.ts';
import { changed, FILE } from '../../support/configuration.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('plans of restores that have long ended are removed with the next one, and those that somebody may need are not', async (t) => {
  const base = await temporaryDirectory(t);
  const state = path.join(base, 'state');
  const configuration = parseConfiguration(
    changed('{ site: home } }', `{ site: home, stateDirectory: ${state} } }`),
    FILE,
  );
  const here = { configuration, host: 'db1' };
  const [data, away] = [path.join(base, 'data'), path.join(base, 'not-mounted')];
  const journals = {
    confirmed: path.join(data, '.holdfast/confirmed'),
    exchanged: path.join(data, '.holdfast/exchanged'),
    'rolled-back': path.join(state, 'redis/cache/rolled-back'),
    replaced: path.join(state, 'redis/cache/replaced'),
  };
  const steps: Record<keyof typeof journals, readonly string[]> = {
    confirmed: ['stop', 'exchange', 'start', 'confirm'],
    exchanged: ['stop', 'exchange', 'start'],
    'rolled-back': ['replace', 'rollback'],
    replaced: ['replace'],
  };
  for (const run of Object.keys(journals) as (keyof typeof journals)[]) {
    const directory = journals[run];
    await mkdir(directory, { recursive: true });
    const lines = steps[run].map((step) => JSON.stringify({ at: 'x', step, state: 'done' }));
    await writeFile(path.join(directory, 'journal.jsonl'), `${lines.join('\n')}\n`);
  }
  const beside = path.join(base, 'beside');
  await mkdir(beside);
  await writeFile(path.join(beside, '.holdfast-left-beside'), '');
  const plans: readonly Partial<RedisPlan>[] = [
    { run: 'confirmed', mode: 'in place', way: 'stopped', directory: data },
    { run: 'exchanged', mode: 'in place', way: 'stopped', directory: data },
    { run: 'never-begun', mode: 'in place', way: 'stopped', directory: data },
    { run: 'cannot-be-told', mode: 'in place', way: 'stopped', directory: away },
    { run: 'rolled-back', mode: 'in place', way: 'live' },
    { run: 'replaced', mode: 'in place', way: 'keys' },
    { run: 'left-beside', mode: 'beside', directory: beside },
    { run: 'undone-beside', mode: 'beside', directory: beside },
  ];
  // Of a dry run that was killed while it counted.
  const counting = path.join(state, 'redis/cache/.counting');
  await mkdir(path.join(counting, 'plan-00000001'), { recursive: true });
  const plan = (part: Partial<RedisPlan>) => ({ component: 'redis/cache', host: 'db1', ...part }) as RedisPlan;
  const place = path.join(state, 'redis-plans');
  for (const part of plans) await keepRedisPlan(here, plan(part));
  const DAY_MS = 24 * 60 * 60_000;
  const [old, older] = [8, 91].map((days) => new Date(Date.now() - days * DAY_MS)) as [Date, Date];
  assert.deepEqual(await readdir(counting), ['plan-00000001']);
  await utimes(path.join(counting, 'plan-00000001'), old, old);
  const names = await readdir(place);
  for (const name of names) await utimes(path.join(place, name), old, old);
  await writeFile(path.join(place, 'damaged.json'), '{');
  await utimes(path.join(place, 'damaged.json'), old, old);
  const next = async () => {
    await keepRedisPlan(here, plan({ run: 'young', mode: 'in place', way: 'live' }));
    return (await readdir(place)).map((name) => name.replace('.json', '')).sort();
  };
  // Planned long ago and ended just now; what has not begun may wait for somebody to approve of it.
  assert.deepEqual(await next(), [...plans.map(({ run = '' }) => run), 'damaged', 'young'].sort());
  assert.deepEqual(await readdir(counting), []);
  for (const run of ['confirmed', 'rolled-back'] as const) {
    await utimes(path.join(journals[run], 'journal.jsonl'), old, old);
  }
  const open = ['cannot-be-told', 'damaged', 'exchanged', 'left-beside', 'replaced', 'young'];
  assert.deepEqual(await next(), [...open, 'never-begun', 'undone-beside'].sort());
  for (const name of names.filter((each) => !/confirmed|rolled/.test(each))) {
    await utimes(path.join(place, name), older, older);
  }
  assert.deepEqual(await next(), open);
  assert.equal((await keptRedisPlan(here, 'exchanged'))?.directory, data);
  assert.equal(await keptRedisPlan(here, 'confirmed'), undefined);
});
