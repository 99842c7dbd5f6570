// Which error of several copies is told: what one that did not answer may hold is not known, whatever the others hold.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type ErrorCode, HoldfastError } from '../../../src/errors/index.ts';
import { failWithWorst } from '../../../src/vault/replicate.ts';

for (const [codes, worst] of [
  [['OBJECT_MISSING', 'OBJECT_DAMAGED', 'STORE_UNAVAILABLE'], 'STORE_UNAVAILABLE'],
  [['VAULT_FORMAT', 'STORE_UNAVAILABLE'], 'STORE_UNAVAILABLE'],
  [['VAULT_OTHER', 'STORE_DENIED'], 'STORE_DENIED'],
  [['OBJECT_MISSING', 'VAULT_FORMAT'], 'VAULT_FORMAT'],
  [['OBJECT_MISSING', 'OBJECT_DAMAGED'], 'OBJECT_DAMAGED'],
  [['OBJECT_MISSING', 'OBJECT_MISSING'], 'OBJECT_MISSING'],
  [[], 'OBJECT_MISSING'],
] as const satisfies readonly (readonly [readonly ErrorCode[], ErrorCode])[]) {
  it(`of ${codes.join(', ') || 'no copy'} is ${worst}`, () => {
    const errors = codes.map((code) => new HoldfastError(code, code));
    assert.throws(() => failWithWorst('key', errors), { code: worst });
  });
}
