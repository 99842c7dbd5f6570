// `approve` and `deny`: the plan that waits, whatever kind of restore made it, and the digest that goes to its run.

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { approve, deny } from '../../../src/cli/commands/decide.ts';
import type { Context } from '../../../src/cli/context.ts';
import type { HoldfastClient } from '../../../src/domain/client.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { HoldfastError } from '../../../src/errors/index.ts';

const run = 'restore-3f9a1c2b';
const named = (component: string) => ({ run, component, host: 'db1', digest: 'd1', warnings: [], blockers: [] });
const space = { neededBytes: 2, availableBytes: 10 };
const to = '2026-11-23T06:14:07.000000Z';
const snapshot = { id: '20261123T061407Z-00000001', copy: 'local', from: to, to };
const database = {
  ...named('database/main'),
  ...{ mode: 'in place', dataDirectory: '/srv/main', space },
  base: { snapshot: 's', copy: 'local', sizeBytes: 1, to },
  log: { segments: 0, bytes: 0 },
  target: { moment: to, requested: 'latest', endLsn: '0/1', timeline: 1 },
};
const changes = { counts: { create: 1, replace: 0, remove: 0, settle: 0, compare: 0 }, bytes: 9, first: [] };
const files = (component: string) => ({
  ...named(component),
  ...{
    mode: 'in place',
    roots: ['/srv/u'],
    entries: { files: 4, others: 0, bytes: 9 },
    changes,
    snapshot,
    space,
    requested: 'latest',
  },
});
const plans = {
  'database/main': { plan: database },
  'files/uploads': { filesPlan: files('files/uploads') },
  'configuration/etc': { filesPlan: files('configuration/etc') },
  'redis/cache': {
    redisPlan: {
      ...named('redis/cache'),
      mode: 'in place',
      way: 'live',
      keys: 5,
      sizeBytes: 9,
      snapshot,
      space,
      requested: 'latest',
      writtenBy: 'Redis 8.0.2',
      over: { least: 0, most: 0 },
    },
  },
  'database/bank': {
    partPlan: {
      ...named('database/bank'),
      ...{ what: 'table ledger.entries', way: 'replace', into: 'ledger.entries', database: 'bank', notes: [] },
      recovery: { ...database, mode: 'beside', run: 'another', digest: 'd2' },
    },
  },
} as const;

/** What is asked of the run when a person types this, with the answer at the terminal. */
async function typed(
  command: typeof approve,
  data: object,
  component: string,
  options: { plan?: string; answer?: string },
) {
  const asked: unknown[] = [];
  const notes: string[] = [];
  const status = {
    run,
    component,
    operation: 'restoreFiles',
    state: 'waiting',
    message: '',
    steps: [],
    data,
  } as unknown as RunStatus;
  const decided = (answer: string) => async (its: string, digest: string, by: string) => {
    asked.push([answer, its, digest, by]);
    return { ...status, state: 'running' };
  };
  const client = {
    status: async () => status,
    handle: async () => ({ run, workflowId: 'w' }),
    ...{ approve: decided('approve'), deny: decided('deny') },
  } as unknown as HoldfastClient;
  const stdin = new PassThrough();
  if (options.answer !== undefined) stdin.end(`${options.answer}\n`);
  const context = {
    ...{ options: {}, by: 'test', note: (line: string) => notes.push(line) },
    io: { stdin, stderr: new PassThrough(), stdinIsTerminal: options.answer !== undefined },
    configuration: async () => ({
      ...{ name: 'acme', timezone: 'UTC', database: {}, redis: {}, files: {}, configuration: {} },
    }),
    client: async () => client,
  } as unknown as Context;
  const input = { args: [run], ...(options.plan !== undefined && { plan: options.plan }) };
  const error = await command
    .execute(input, context, () => assert.fail('refused'))
    .then(
      () => undefined,
      (thrown: unknown) => {
        assert.ok(thrown instanceof HoldfastError, String(thrown));
        return thrown.code;
      },
    );
  return { asked, notes, error };
}

for (const [component, data] of Object.entries(plans)) {
  test(`the plan of ${component} is approved and denied by its digest, and by a person who sees it`, async () => {
    const byDigest = await typed(approve, data, component, { plan: 'd9' });
    // The run itself says whether it is the one that waits.
    assert.deepEqual(byDigest.asked, [['approve', run, 'd9', 'test']]);
    const seen = await typed(deny, data, component, { answer: component });
    assert.deepEqual([seen.error, seen.asked], [undefined, [['deny', run, 'd1', 'test']]]);
    assert.ok(seen.notes.length > 1, 'the plan is shown first');
    const other = await typed(approve, data, component, { answer: 'files/others' });
    assert.deepEqual([other.error, other.asked], ['NOT_CONFIRMED', []]);
    const nobody = await typed(approve, data, component, {});
    assert.deepEqual([nobody.error, nobody.asked], ['NOT_CONFIRMED', []]);
  });
}

test('a run that has no plan yet does not wait for a word', async () => {
  const { asked, error } = await typed(approve, {}, 'files/uploads', { plan: 'd1' });
  assert.deepEqual([error, asked], ['JOURNAL_STATE', []]);
});
