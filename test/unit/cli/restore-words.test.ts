// What a restore found out about the recovered server, as a person reads it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderRun } from '../../../src/cli/render/run.ts';
import type { Result } from '../../../src/cli/result.ts';
import type { Lsn } from '../../../src/domain/lsn.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import type { RestoreResult } from '../../../src/domain/run-data.ts';

const restore: RestoreResult = {
  ...{ id: 'restore-0a1b2c3d', component: 'database/main', target: 'latest', dataDirectory: '/srv/drill' },
  ...{ recoveredTo: '2026-11-23T06:15:00.000000Z' as Moment, recoveredLsn: '0/4071670' as Lsn },
  timingsMs: { fetch: 1, replay: 2, promote: 3, checks: 4, total: 10 },
};

describe('the words of a restore', () => {
  it('tell every answer of the recovered server, and apart from them what could not be asked', () => {
    const checks = [
      { name: 'database postgres', ok: true, value: '12 tables read, 9 with rows' },
      { name: 'pg_amcheck postgres', ok: true, value: 'not done: there is no amcheck', notDone: true as const },
    ];
    const result: Result = { state: 'completed', restore: { ...restore, checks } };
    const lines = renderRun(result, 'UTC');
    assert.ok(lines.includes('  ✔ database postgres: 12 tables read, 9 with rows'), lines.join('\n'));
    assert.ok(lines.includes('  – pg_amcheck postgres: not done: there is no amcheck'), lines.join('\n'));
  });

  it('say nothing of checks where an earlier version kept none', () => {
    assert.ok(!renderRun({ state: 'completed', restore }, 'UTC').some((line) => /[✔✖–]/.test(line)));
  });
});
