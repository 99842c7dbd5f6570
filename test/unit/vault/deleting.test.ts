// Deleting under a lease: a call that takes longer than the lease is stopped, and goes on with fewer keys under a confirmed one.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { CallOptions } from '../../../src/stores/store.ts';
import { Deleting } from '../../../src/vault/retention/deleting.ts';

it('stops a deletion at the end of the lease and goes on with fewer keys; a single one that is too slow fails', async () => {
  let checks = 0;
  const lease = { check: async () => void checks++, leftMs: 5_050 };
  const deleted: string[] = [];
  let most = 60;
  const store = {
    // Lists for ever, as a slow versioned bucket does, when there are too many keys.
    delete: async (keys: readonly string[], { signal }: CallOptions) => {
      if (keys.length > most) {
        await new Promise((resolve) => signal?.addEventListener('abort', resolve, { once: true }));
      }
      signal?.throwIfAborted();
      deleted.push(...keys);
    },
  };
  const copy = { description: { name: 'eu' }, store } as never;
  const objects = Array.from({ length: 120 }, (_, n) => [`key ${n}`, 1] as const);
  const deleting = new Deleting({} as never, lease as never, undefined);
  await deleting.delete(copy, objects);
  assert.deepEqual(
    deleted,
    objects.map(([key]) => key),
  );
  assert.deepEqual(deleting.deleted('eu'), { objects: 120, bytes: 120 });
  assert.ok(checks >= 4, `${checks} confirmations`);
  most = 0;
  await assert.rejects(deleting.delete(copy, objects.slice(0, 3)), { code: 'CANCELLED' });
});
