// Whose server `stop` ends, and what it says when there is none to end.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stop } from '../../../src/cli/commands/stop.ts';
import type { Context } from '../../../src/cli/context.ts';
import type { HoldfastClient } from '../../../src/domain/client.ts';
import type { ComponentStatus, OpenRestore } from '../../../src/domain/component-report.ts';
import type { RunStatus } from '../../../src/domain/operations.ts';
import { HoldfastError } from '../../../src/errors/index.ts';

const run = 'restore-3f9a1c2b';
const database = { id: 'database/main', name: 'main', host: 'db1' };
const beside = { mode: 'beside', start: true, dataDirectory: '/srv/clone' };
const runOf = (state: string, plan?: object) =>
  ({ run, operation: 'restoreDatabase', component: 'database/main', state, data: { plan } }) as unknown as RunStatus;
const componentOf = (host: string, more: Partial<ComponentStatus>) => ({ host, ...more }) as ComponentStatus;
const serving = { run: 'restore-00000001', state: 'serving', dataDirectory: '/srv/other' } as OpenRestore;
const stopped = { run: 'restore-00000002', state: 'stopped', dataDirectory: '/srv/main' } as OpenRestore;

/** What `stop restore-3f9a1c2b` asks and answers, with an estate that says this. */
async function typed(
  status: RunStatus | HoldfastError,
  components: () => Promise<readonly ComponentStatus[]> = async () => [],
) {
  const asked: string[] = [];
  const client = {
    status: async () => {
      if (status instanceof HoldfastError) throw status;
      return status;
    },
    components,
    stopServer: async (input: { run: string }) => {
      asked.push(input.run);
      return { run, dataDirectory: '/srv/clone', stopped: true };
    },
  } as unknown as HoldfastClient;
  const context = {
    options: {},
    by: 'test',
    configuration: async () => ({
      name: 'acme',
      database: { main: database },
      redis: {},
      files: {},
      configuration: {},
    }),
    loaded: async () => ({ digest: 'f' }),
    client: async () => client,
  } as unknown as Context;
  const answer = await stop
    .execute({ args: [run] }, context, () => assert.fail('refused'))
    .catch((error: unknown) => {
      assert.ok(error instanceof HoldfastError, String(error));
      return error;
    });
  return { answer, asked };
}

async function refused(...about: Parameters<typeof typed>): Promise<HoldfastError> {
  const { answer, asked } = await typed(...about);
  assert.deepEqual(asked, []);
  return answer instanceof HoldfastError ? answer : assert.fail('it was not refused');
}

test('the host is asked about a restore beside however it ended, and says itself whether a server ran', async () => {
  for (const state of ['completed', 'failed', 'stuck', 'rolled back', 'refused']) {
    const { answer, asked } = await typed(runOf(state, beside));
    assert.deepEqual(asked, [run], state);
    assert.ok(!(answer instanceof HoldfastError), state);
  }
});

test('the server of a run that goes on is not stopped under it', async () => {
  for (const state of ['running', 'waiting']) {
    const { code, hint } = await refused(runOf(state, beside));
    assert.equal(code, 'JOURNAL_STATE');
    assert.match(hint, /holdfast cancel restore-3f9a1c2b/);
  }
});

test('a run that left no server is refused with the servers that run, and with the hosts of which it is not known', async () => {
  const inPlace = runOf('completed', { mode: 'in place' });
  const hintOf = async (...components: ComponentStatus[]) => {
    const { code, hint } = await refused(inPlace, async () => components);
    assert.equal(code, 'JOURNAL_STATE');
    return hint;
  };
  assert.equal(await hintOf(componentOf('db1', { restores: [serving] })), 'running: restore-00000001 (/srv/other)');
  assert.match(await hintOf(componentOf('db1', { restores: [] })), /^no restore that ended well has left a server/);
  assert.equal(await hintOf(componentOf('db1', { restores: [] }), componentOf('db2', {})), 'not known on db2');
  assert.equal(
    await hintOf(componentOf('db1', { restores: [serving] }), componentOf('db2', {}), componentOf('db2', {})),
    'running: restore-00000001 (/srv/other); not known on db2',
  );
  const partly = componentOf('db1', { restores: [stopped], restoresUnknown: ['the record of restore-1'] });
  assert.equal(await hintOf(partly), 'not known on db1');
});

test('that the servers cannot be told hides not why the run was refused', async () => {
  const away = async () => {
    throw new HoldfastError('NO_WORKER', "no worker of host 'db1'");
  };
  const { code, message, hint } = await refused(runOf('failed'), away);
  assert.equal(code, 'JOURNAL_STATE');
  assert.match(message, /'restore-3f9a1c2b' is not known to be a restore beside/);
  assert.match(hint, /which servers run is not known: no worker of host 'db1'/);
});

test('one that Temporal has forgotten is stopped all the same when its host says what it has left', async () => {
  const forgotten = new HoldfastError('NOT_FOUND', `no such run: '${run}'`);
  const left = { run, state: 'left', dataDirectory: '/srv/clone' } as OpenRestore;
  const owner = componentOf('db1', { component: 'database/main', restores: [stopped, left] });
  const { answer, asked } = await typed(forgotten, async () => [owner]);
  assert.deepEqual([asked, answer instanceof HoldfastError], [[run], false]);
  const none = componentOf('db1', { component: 'database/main', restores: [stopped, serving] });
  assert.equal((await refused(forgotten, async () => [none])).code, 'NOT_FOUND');
});
