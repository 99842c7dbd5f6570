// What a plan says is in the way: each with what mends it, once, so that a person mends all of it before the next try.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renderPartPlan } from '../../../src/cli/render/part.ts';
import { renderPlan } from '../../../src/cli/render/plan.ts';
import type { PartPlan } from '../../../src/domain/part.ts';
import type { PlanSummary } from '../../../src/domain/plan-summary.ts';
import { HoldfastError } from '../../../src/errors/index.ts';

const lack = (statement: string) =>
  new HoldfastError('DATABASE_PRIVILEGE', 'the role loader may not load into bank', {
    hint: `run: ${statement}`,
  }).toJSON();
const noRoom = new HoldfastError('NO_SPACE', 'too little room', { hint: 'make room' }).toJSON();

const recovery = {
  ...{ mode: 'beside', component: 'database/main', host: 'db1', dataDirectory: '/srv/clone', digest: 'd1' },
  base: { snapshot: 's', copy: 'local', sizeBytes: 1, to: '2026-11-23T06:14:07Z' },
  log: { segments: 0, bytes: 0 },
  target: { moment: '2026-11-23T06:14:07Z', requested: 'latest', endLsn: '0/1', timeline: 1 },
  ...{ space: { neededBytes: 2, availableBytes: 1 }, warnings: [], blockers: [noRoom] },
} as unknown as PlanSummary;

test('each thing in the way comes with its hint', () => {
  const lines = renderPlan(recovery, 'UTC');
  assert.deepEqual(lines.slice(-3), [
    '      in the way: too little room',
    '          hint: make room',
    '      digest d1',
  ]);
});

test('a part names what is in the way of its recovery once, and tells by their statements what has the same words', () => {
  const plan = {
    ...{ what: 'table ledger.entries', way: 'as', into: 'ledger.then', database: 'bank', notes: [], warnings: [] },
    ...{ recovery, digest: 'd2', blockers: [noRoom, lack('GRANT 1'), lack('GRANT 2')] },
  } as unknown as PartPlan;
  const lines = renderPartPlan(plan, 'UTC');
  assert.deepEqual(lines.slice(-7), [
    '      in the way: too little room',
    '          hint: make room',
    '      in the way: the role loader may not load into bank',
    '          hint: run: GRANT 1',
    '      in the way: the role loader may not load into bank',
    '          hint: run: GRANT 2',
    '      digest d2',
  ]);
  assert.equal(lines.filter((line) => line.includes('too little room')).length, 1);
});
