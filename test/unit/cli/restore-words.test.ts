// What a restore found out about the recovered server, as a person reads it.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { renderRun } from '../../../src/cli/render/run.ts';
import type { Result } from '../../../src/cli/result.ts';
import type { SnapshotSummary } from '../../../src/domain/component-report.ts';
import type { FilesRestored } from '../../../src/domain/files-restore.ts';
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

  it('of a snapshot tell its damage by relation and what was noted of its databases', () => {
    const facts = { databases: 2, tables: 3, counted: 2, rows: 1500, maxima: 1, notCounted: { 'may not be read': 4 } };
    const relations = [
      {
        kind: 'table',
        name: 'public.a',
        database: 'bank',
        path: 'base/5/1',
        blocks: [
          [3, 3],
          [7, 9],
        ],
        hint: 'x',
      },
    ];
    const snapshot = {
      ...{ id: '20261123T061407Z-3f9a1c2b', component: 'database/main', kind: 'physical', state: 'damaged', facts },
      ...{ from: '2026-11-23T06:14:07.000000Z', to: '2026-11-23T06:15:00.000000Z', damaged: { pages: 4, relations } },
      ...{ bytes: { read: 1, new: 1, stored: 1 }, copies: { local: 'present' } },
    } as unknown as SnapshotSummary;
    const lines = renderRun({ state: 'completed', snapshot }, 'UTC');
    assert.deepEqual(lines.slice(-3), [
      '  damaged pages: table public.a in database bank, blocks 3, 7 to 9',
      '  facts of 2 databases: 1500 rows in 3 tables, 1 of them estimated, 1 maximum; 4 tables not counted: may not be read',
      "  hint: the backup has all of them; `GRANT pg_read_all_data TO` the role of 'url' lets them be counted, too, and compared after a restore",
    ]);
  });

  it('of files tell by what they were counted', () => {
    const compared = { entries: 20, differing: { count: 0, first: [] } };
    const restored: Omit<FilesRestored, 'compared'> = {
      ...{ id: 'restore-0a1b2c3d', component: 'files/uploads' as const, snapshot: '20261123T061407Z-3f9a1c2b' },
      ...{ from: '2026-11-23T06:14:07.000000Z' as Moment, to: '2026-11-23T06:15:00.000000Z' as Moment },
      ...{ files: 16, others: 4, bytes: 2048, lacking: { count: 0, first: [] } },
      timingsMs: { restore: 1, compare: 2, total: 3 },
    };
    const line = (more: Pick<FilesRestored, 'compared'> & Partial<FilesRestored>) =>
      renderRun({ state: 'completed', filesRestored: { ...restored, ...more } }, 'UTC').at(1);
    assert.equal(
      line({ directory: '/srv/look', compared }),
      '  16 files of 2.0 KiB and 4 directories, links and others; compared all of these 20, 0 differ',
    );
    const changes = { create: 13, replace: 3, remove: 1, settle: 0, compare: 0 };
    assert.equal(
      line({ changes, compared: { ...compared, entries: 12 } }),
      '  13 created, 3 replaced, 1 removed, 2.0 KiB written; compared 12 names: all that were asked for, changed or not; 0 differ',
    );
  });

  it('say nothing of checks where an earlier version kept none', () => {
    assert.ok(!renderRun({ state: 'completed', restore }, 'UTC').some((line) => /[✔✖–]/.test(line)));
  });
});
