// What `test integrity` says of a copy that is away: that it was not asked and why, never how much of it is good.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { integrityLines } from '../../../src/cli/render/integrity.ts';
import { type CopyIntegrity, countVerdicts } from '../../../src/domain/integrity.ts';

const snapshots = ['2', '1'].map((snapshot) => ({ snapshot, state: 'not checked', objects: countVerdicts([]) }));
const none = countVerdicts([]);
const error = { code: 'STORE_UNAVAILABLE', message: "copy 'eu' does not answer", hint: 'is it up?' };
const away = {
  ...{ copy: 'eu', state: 'not checked', error, snapshots, objects: none, segments: none, readBytes: 0, findings: [] },
} as unknown as CopyIntegrity;
const linesOf = (copy: CopyIntegrity) =>
  integrityLines({
    integrity: [{ component: 'database/main', level: 'hashed', state: copy.state, at: '' as never, copies: [copy] }],
  });

test('a copy that is away was not asked, with the reason below', () => {
  assert.deepEqual(linesOf(away), [
    'database/main   eu   NOT ASKED   of 2 snapshots nothing is known',
    "  eu: copy 'eu' does not answer",
    '    hint: is it up?',
  ]);
});

test('one that answered for a part has that part told', () => {
  const objects = { ...none, good: 3, 'not checked': 1 };
  assert.equal(
    linesOf({ ...away, objects })[0],
    'database/main   eu   NOT CHECKED   0 of 2 snapshots good   objects: 3 good, 1 not checked   0 B read',
  );
});
