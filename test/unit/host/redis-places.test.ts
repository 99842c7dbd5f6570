// Where restores of Redis keep what they do: what is told of one run does not depend on what others have left.

import assert from 'node:assert/strict';
import { appendFile, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { parseConfiguration } from '../../../config/index.ts';
import { redisOn, touchedBy } from '../../../src/host/redis-places.ts';
import { FILE, minimal } from '../../support/configuration.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('which state a restore is in is read from its own journal alone: that of another run may be damaged', async (t) => {
  const base = await temporaryDirectory(t);
  const [data, state] = [path.join(base, 'data'), path.join(base, 'state')];
  const text = `${minimal.replace('{ site: home } }', `{ site: home, stateDirectory: ${state} } }`)}redis:
  cache: { host: db1, url: "env:REDIS_URL", dataDirectory: ${data} }
`;
  const here = { configuration: parseConfiguration(text, FILE), host: 'db1' };
  const settings = redisOn(here, 'redis/cache');
  const runs = [
    { place: path.join(data, '.holdfast'), run: 'restore-0000000b', way: 'stopped' },
    { place: path.join(state, 'redis', 'cache'), run: 'restore-0000000c', way: 'live' },
  ] as const;
  const write = async (place: string, run: string, line: string) => {
    await mkdir(path.join(place, run), { recursive: true });
    await appendFile(path.join(place, run, 'journal.jsonl'), `${line}\n`);
  };
  for (const { place, run, way } of runs) {
    await write(place, run, JSON.stringify({ at: 'x', step: 'exchange', state: 'done' }));
    await write(place, 'restore-0000000a', 'no line of a journal');
    const touched = await touchedBy(here, settings, run);
    assert.deepEqual([touched.way, touched.state?.phase], [way, 'swapped']);
    await write(place, run, 'nor this');
    await assert.rejects(touchedBy(here, settings, run), { code: 'JOURNAL_STATE', message: /line 2 of .* cannot/ });
  }
});
