// Asking for a promotion that an earlier attempt, killed right after, has asked for already.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../../../src/errors/index.ts';
import { requestPromotion } from '../../../../src/postgres/recovery/promotion.ts';

const refusing = (code: string) => ({
  query: () => Promise.reject(new HoldfastError('RECOVERY_FAILED', 'it answered', { cause: { code } })),
});

test('a server that is promoted by now refuses to be promoted, which is no failure', async () => {
  // `object_not_in_prerequisite_state`: "recovery is not in progress".
  await requestPromotion(refusing('55000'));
});

test('a server that pauses is asked to be promoted before it is told to go on', async () => {
  const asked: string[] = [];
  const query = async (sql: string) => {
    asked.push(sql);
    return [];
  };
  await requestPromotion({ query });
  assert.deepEqual(asked, ['select pg_promote(false)', 'select pg_wal_replay_resume()']);
});

test('any other refusal is one', async () => {
  await assert.rejects(requestPromotion(refusing('42501')), { code: 'RECOVERY_FAILED' });
});
