// A slot beside ours that nobody reads: told from the size at which it costs something, and as an alarm where it can fill the disk.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { judgeIdleSlot } from '../../../src/domain/idle-slot.ts';
import { runOfStandbySlot, standbySlotName } from '../../../src/domain/ids.ts';

const MIB = 1024 ** 2;
const idle = { slot: 'reports', kind: 'logical', retainedBytes: 900 * MIB } as const;
const ours = { slot: 'holdfast_acme_main', retainedBytes: 0 };

describe('a slot that nobody reads', () => {
  it('is told with what it keeps and how it is dropped', () => {
    assert.deepEqual(judgeIdleSlot(idle, { ...ours, limitBytes: 1000 * MIB, freeBytes: 1 }), {
      severity: 'warning',
      message: "nobody reads the logical slot 'reports', for which the server keeps 900 MiB of log",
      hint: "start what read it again, or drop it: SELECT pg_drop_replication_slot('reports');",
    });
  });

  it('is an alarm where there is no limit and the disk is nearly full of it', () => {
    const verdict = judgeIdleSlot(idle, { ...ours, freeBytes: 100 * MIB });
    assert.equal(verdict?.severity, 'late');
    assert.match(verdict?.message ?? '', /900 MiB of log, without a limit$/);
    assert.equal(judgeIdleSlot(idle, { ...ours, freeBytes: 900 * MIB })?.severity, 'warning');
  });

  it('says nothing of a limit that is not known', () => {
    assert.match(judgeIdleSlot(idle, undefined)?.message ?? '', /900 MiB of log$/);
  });

  it('is not told while it keeps what any reader leaves behind for a moment', () => {
    assert.equal(judgeIdleSlot({ ...idle, retainedBytes: 64 * MIB - 1 }, ours), undefined);
    assert.ok(judgeIdleSlot({ ...idle, retainedBytes: 64 * MIB }, ours));
  });

  it('of a standby that a run has made is ended by its run', () => {
    const slot = standbySlotName('acme-eu', 'main', 'restore-0a1b2c3d');
    const hint = judgeIdleSlot({ ...idle, slot }, ours)?.hint ?? '';
    assert.match(hint, /^`holdfast stop restore-0a1b2c3d` /);
    assert.ok(hint.endsWith(`promoted it is only dropped: SELECT pg_drop_replication_slot('${slot}');`), hint);
    for (const other of [
      'standby_2',
      'standby_acme_main',
      'standby_acme_main_0a1b2c3',
      'my_standby_acme_main_0a1b2c3d',
    ])
      assert.equal(runOfStandbySlot(other), undefined, other);
  });
});
