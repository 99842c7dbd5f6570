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

test('any other refusal is one', async () => {
  await assert.rejects(requestPromotion(refusing('42501')), { code: 'RECOVERY_FAILED' });
});
