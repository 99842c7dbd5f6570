import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ComponentFacts } from '../../../src/host/component-status.ts';
import { snapshotFindings } from '../../../src/host/snapshot-findings.ts';

function messages(snapshots: readonly { kind: string; from: string }[], backup: object, now = '2026-11-25T12:00:00Z') {
  const facts = {
    ...{
      configuration: { timezone: 'UTC' },
      settings: { id: 'database/main', kind: 'database', backup },
      now: new Date(now),
    },
    snapshots: snapshots.map((snapshot) => ({ id: 'x', state: 'clean', ...snapshot })),
  };
  return snapshotFindings(facts as unknown as ComponentFacts).map(({ message, hint }) => `${message} (${hint})`);
}

const base = { kind: 'physical', from: '2026-11-25T02:00:00.000000Z', engine: {} };
const oldDump = { kind: 'logical', from: '2026-11-24T02:30:00.000000Z' };
const dump = { kind: 'logical', from: '2026-11-25T02:30:00.000000Z' };
const both = { full: 'daily 02:00', logical: 'daily 02:30' };

describe('what is late of the snapshots', () => {
  it('is nothing while each kind keeps its own schedule', () => {
    assert.deepEqual(messages([dump, base], both), []);
  });

  it('is a dump that did not come, whatever base backups there are', () => {
    assert.deepEqual(messages([base, oldDump], both), [
      "the dump of 'daily 02:30' that was due at 2026-11-25T02:30:00Z has not finished (see `holdfast show dump/database/main` and `holdfast schedules list`)",
    ]);
    assert.equal(messages([base], both).length, 1);
  });

  it('is a base backup that did not come, whatever dumps there are', () => {
    const late = { ...base, from: '2026-11-24T02:00:00.000000Z' };
    assert.match(messages([dump, late], both).join(), /^the backup of 'daily 02:00' that was due/);
    assert.match(messages([dump], { logical: 'daily 02:30' }).join(), /^there is no snapshot yet/);
  });

  it('is told beside a newest base backup that has damaged pages, by the run that took it', () => {
    const facts = (changes: object) => messages([{ ...base, ...changes }], { full: 'daily 02:00' });
    assert.deepEqual(facts({ state: 'damaged' }), [
      'the newest snapshot x has damaged pages (see `holdfast show backup/database/main`)',
    ]);
    assert.match(facts({ state: 'damaged', class: 'incremental' }).join(), /show incremental\/database\/main/);
    assert.deepEqual(facts({ state: 'clean' }), []);
  });

  it('is not a dump that nobody promised', () => {
    assert.deepEqual(messages([base], { full: 'daily 02:00' }), []);
  });
});

describe('a newest snapshot of files with far fewer of them than the one before', () => {
  const told = (component: string, files: number) => {
    const id = '20261125T020000Z-00000002';
    const newest = {
      id,
      component,
      kind: 'files',
      state: 'clean',
      from: base.from,
      engine: { files, filesBefore: 3558 },
    };
    const facts = {
      ...{ configuration: { timezone: 'UTC' }, settings: { id: component, kind: component.split('/')[0], backup: {} } },
      ...{ now: new Date('2026-11-25T03:00:00Z'), snapshots: [newest, { ...newest, id: '20261124T020000Z-00000001' }] },
    };
    return snapshotFindings(facts as unknown as ComponentFacts);
  };

  it('is told by the status, with what tells what is gone', () => {
    assert.deepEqual(told('files/statements', 558), [
      {
        severity: 'warning',
        message:
          'snapshot 20261125T020000Z-00000002 has only 558 files, where the snapshot before had 3558: is all of it there?',
        hint: '`holdfast files diff 20261124T020000Z-00000001 20261125T020000Z-00000002 files/statements` tells what is gone',
      },
    ]);
    assert.equal(
      told('configuration/etc', 558)[0]?.hint,
      '`holdfast configuration diff 20261124T020000Z-00000001 20261125T020000Z-00000002` tells what is gone',
    );
  });

  it('is not told of half of them and more', () => {
    assert.deepEqual(told('files/statements', 1779), []);
  });
});
