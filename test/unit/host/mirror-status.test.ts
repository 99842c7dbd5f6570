// What status says of a mirror that is late, with the way to have it up.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { momentFromDate } from '../../../src/domain/moment.ts';
import { mirrorFindings } from '../../../src/host/mirror-status.ts';

const to = '/srv/mirror';
const asOf = momentFromDate(new Date('2026-11-23T06:00:00Z'));
const asked = (schedule?: string) => ({
  id: 'files/uploads',
  mirror: { behindSeconds: 1_800, ...(schedule !== undefined && { schedule }) },
  memory: '/var/lib/holdfast/mirror/state.json',
});

test('a mirror is late when its time is over, has never been whole, or tells what stood in its way', () => {
  assert.deepEqual(mirrorFindings({ to, state: 'complete', asOf }, 1_800, asked()), []);
  // One that a process was killed at is as old as the run before.
  const late = { to, asOf, error: 'the line is cut' } as const;
  for (const state of ['complete', 'running', 'failed'] as const) {
    const [finding, ...others] = mirrorFindings({ ...late, state }, 1_801, asked('every 15min'));
    assert.deepEqual([finding?.severity, others], ['late', []]);
    assert.match(finding?.message ?? '', /'\/srv\/mirror' is 30 min.* behind: the line is cut/);
    assert.match(
      finding?.hint ?? '',
      /or its schedule, brings it up, `holdfast files mirror files\/uploads` does it now/,
    );
  }
  const [never] = mirrorFindings({ to, state: 'running' }, undefined, asked());
  assert.deepEqual([never?.severity, /has never been whole/.test(never?.message ?? '')], ['late', true]);
  assert.doesNotMatch(never?.hint ?? '', /schedule/);
  const [failed] = mirrorFindings({ ...late, state: 'failed' }, 60, asked());
  assert.equal(failed?.severity, 'warning');
});
