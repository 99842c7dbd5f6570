// When retention runs by itself: wherever something is to be kept for a time, and wherever what is held is to stay locked.

import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { parseConfiguration } from '../../config/index.ts';
import { applySchedules } from '../../src/temporal/schedules.ts';
import { FILE, minimal } from '../support/configuration.ts';
import { sharedEnvironment } from './support/workflow-environment.ts';

const shared = sharedEnvironment();
const LOCKING = 's3: { bucket: b, region: r, lock: compliance, lockFor: 30d }';
const KEEPING = 'url: "env:DATABASE_URL", keep: { full: 90d, log: 7d }';

for (const [words, [from, to], expected] of [
  ['neither keep nor lock', ['name', 'name'], []],
  ['keep', ['url: "env:DATABASE_URL"', KEEPING], ['created']],
  ['lock and no keep', ['file: copies/local', LOCKING], ['created']],
] as const) {
  test(`an estate with ${words} has ${expected.length === 0 ? 'no' : 'a'} schedule of retention`, async () => {
    const name = `t${randomUUID().slice(0, 8)}`;
    const text = minimal.replace('name: acme', `name: ${name}`).replace(from, to);
    const configuration = parseConfiguration(text, FILE);
    const { client } = shared.env;
    const changes = await applySchedules(client, configuration, { dryRun: false });
    assert.deepEqual(
      changes.map(({ change }) => change),
      expected,
    );
    for (const { id } of changes) {
      const { action } = await client.schedule.getHandle(id).describe();
      assert.deepEqual(action.args, [{ estate: name, host: 'db1', by: 'schedule' }]);
      await client.schedule.getHandle(id).delete();
    }
  });
}
