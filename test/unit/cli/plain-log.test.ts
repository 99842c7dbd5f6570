// Log lines of a command for a person: plain, and each once.

import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { pino } from 'pino';
import { plainLog } from '../../../src/cli/plain-log.ts';

test('a warning is one plain line that names what it is about, and is told once', () => {
  const stderr = new PassThrough();
  const logger = pino({ level: 'warn', base: null }, plainLog({ stderr }));
  logger.warn({ copy: 'eu', code: 'STORE_UNAVAILABLE' }, 'no answer within 10 s');
  logger.child({ component: 'database/main' }).error('not a manifest');
  logger.warn({ copy: 'eu' }, 'no answer within 10 s');
  logger.warn({ copy: 'us' }, 'no answer within 10 s');
  logger.info('nobody needs this');
  assert.equal(
    String(stderr.read()),
    'note: copy eu: no answer within 10 s\nnote: database/main: not a manifest\nnote: copy us: no answer within 10 s\n',
  );
});
