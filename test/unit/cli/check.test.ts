// `check` says first what it is going to wait for, and passes on what may make that vain.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from '../../../src/cli/commands/check.ts';
import type { Context } from '../../../src/cli/context.ts';
import type { HostService } from '../../../src/domain/client.ts';
import { HoldfastError } from '../../../src/errors/index.ts';

const database = { kind: 'database', id: 'database/main', name: 'main', host: 'db1' };
const uploads = { kind: 'files', id: 'files/uploads', name: 'uploads', host: 'db1' };

test('of a database the segment and how long are said before anybody is asked, then the doubts; of files there is nothing to wait for', async () => {
  const said: string[] = [];
  const host = {
    check: async (component, options) => {
      said.push(`asked about ${component}`);
      if (component === 'database/main') options?.onDoubt?.('nobody reads the slot');
      return { component, ok: true, checks: [] };
    },
  } as Pick<HostService, 'check'>;
  const context = {
    options: {},
    note: (text: string) => said.push(text),
    configuration: async () => ({ database: { main: database }, redis: {}, files: { uploads }, configuration: {} }),
    client: async () => {
      throw new HoldfastError('NO_WORKER', 'nobody listens');
    },
    host: async () => host,
  } as unknown as Context;
  await check.execute({ args: [] }, context, () => assert.fail('refused'));
  assert.deepEqual(said, [
    'note: database/main: a segment of the log is closed and waited for on every copy, up to 2 min',
    'asked about database/main',
    'note: database/main: nobody reads the slot',
    'asked about files/uploads',
  ]);
});
