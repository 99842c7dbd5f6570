// Recorded histories of every workflow replay under the current code, so that a run that is open survives an update.

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import proto from '@temporalio/proto';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { workflowCode } from '../../src/temporal/workflow-code.ts';

const folder = import.meta.dirname;

test('every recorded history replays', async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const workflowBundle = await workflowCode(new DefaultLogger('ERROR'));
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  const types = new Set(names.map((name) => name.split('-')[0]));
  for (const type of [
    'applyRetention',
    'backupConfiguration',
    'backupDatabase',
    'backupFiles',
    'backupRedis',
    'catchUpCopy',
    'confirmRestore',
    'dumpDatabase',
    'loadDump',
    'mirrorFiles',
    'restoreDatabase',
    'restoreFiles',
    'restorePart',
    'restoreRedis',
    'rollbackRestore',
    'shipLog',
    'verifySnapshots',
  ])
    assert.ok(types.has(type), type);
  for (const name of names) {
    const record = JSON.parse(await readFile(path.join(folder, name), 'utf8'));
    const history = proto.temporal.api.history.v1.History.decode(Buffer.from(record.history, 'base64'));
    assert.equal(history.events.length, record.events, name);
    // A run asks for its own id: it is the canonical one, or it joins.
    const workflowId = history.events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '';
    assert.notEqual(workflowId, '', name);
    await Worker.runReplayHistory({ workflowBundle }, history, workflowId);
  }
});

test('every attempt at an activity has an end, and a heartbeat that tells of a dead host', async () => {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json'));
  let looked = 0;
  for (const name of names) {
    const record = JSON.parse(await readFile(path.join(folder, name), 'utf8'));
    const history = proto.temporal.api.history.v1.History.decode(Buffer.from(record.history, 'base64'));
    for (const { activityTaskScheduledEventAttributes: scheduled } of history.events) {
      if (!scheduled) continue;
      looked += 1;
      const endsSeconds = Number(scheduled.startToCloseTimeout?.seconds ?? 0);
      assert.ok(
        endsSeconds > 0 && endsSeconds <= 24 * 3_600,
        `${name}: ${scheduled.activityType?.name} ${endsSeconds} s`,
      );
      const beatSeconds = Number(scheduled.heartbeatTimeout?.seconds ?? 0);
      assert.ok(beatSeconds > 0 && beatSeconds <= 60, `${name}: ${scheduled.activityType?.name} ${beatSeconds} s`);
    }
  }
  assert.ok(looked > 100, `${looked} were looked at`);
});
