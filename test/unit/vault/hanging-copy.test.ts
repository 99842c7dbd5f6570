// A copy that answers nothing at all: whoever asks several things of the vault waits for it once.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { withDeadline } from '../../../src/stores/deadline.ts';
import { DelegatingStore } from '../../support/delegating-store.ts';
import { COMPONENT, takeSnapshot, testVault } from '../../support/vault.ts';

/** Each call takes as long as it may, as over a network that drops every packet. */
class HangingStore extends DelegatingStore {
  hangs = false;
  waited = 0;

  protected override around<T>(what: string, call: () => Promise<T>): Promise<T> {
    if (!this.hangs) return call();
    this.waited++;
    return withDeadline(what, { deadlineMs: 3_000 }, () => new Promise<never>(() => {}));
  }
}

it('a copy that hangs is waited for once by an opening and all that follows within seconds', async () => {
  let eu: HangingStore | undefined;
  await using test = await testVault({
    copies: ['local', 'eu'],
    wrap: (store) => {
      if (store.name !== 'eu') return store;
      eu = new HangingStore(store);
      return eu;
    },
  });
  assert.ok(eu);
  await takeSnapshot(test.vault, { file: Buffer.from('kept') });
  eu.hangs = true;
  const vault = await test.reopen();
  const [snapshot] = await vault.listSnapshots();
  const conditions = await vault.conditions();
  assert.deepEqual(snapshot?.copies, { local: 'present', eu: 'away' });
  assert.deepEqual(
    conditions.map(({ state }) => state),
    ['ready', 'away'],
  );
  assert.equal(eu.waited, 1);
  // Who needs this very copy asks it anew.
  await assert.rejects(vault.catchUp('eu'), (error) => isHoldfastError(error, 'STORE_UNAVAILABLE'));
  assert.equal(eu.waited, 2);
  eu.hangs = false;
  // Nor does the log wait until the copy is asked again by others.
  assert.deepEqual((await vault.log(COMPONENT, '7432198765432109876', 'eu').list()).objects, []);
  assert.equal((await vault.catchUp('eu')).remaining, 0);
  assert.equal((await vault.conditions())[1]?.state, 'ready');
});
