// The copy of `pg_control`: only bytes whose checksum is right are one, of whatever major's length.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseControlFile } from '../../../../src/postgres/backup/control-file.ts';
import { crc32c } from '../../../../src/postgres/wal/index.ts';
import { seededBytes } from '../../../support/vault.ts';

const facts = { mode: 0o600, mtimeSeconds: 1 };

function control(fieldsBytes: number, state = 6): Buffer {
  const bytes = Buffer.alloc(8192);
  seededBytes('control', fieldsBytes).copy(bytes);
  bytes.writeBigUInt64LE(7_412_345_678_901_234_567n, 0);
  bytes.writeUInt32LE(202_406_281, 12);
  bytes.writeUInt32LE(state, 16);
  bytes.writeBigUInt64LE(0x1_0200_0028n, 40);
  bytes.writeUInt32LE(crc32c(bytes.subarray(0, fieldsBytes)), fieldsBytes);
  return bytes;
}

test('says who the cluster is, for fields of any length', () => {
  for (const fieldsBytes of [288, 292, 296]) {
    const found = parseControlFile({ bytes: control(fieldsBytes), ...facts });
    assert.equal(found?.systemId, '7412345678901234567');
    assert.equal(found?.catalogVersion, 202_406_281);
    assert.equal(found?.redoLsn, '1/2000028');
    assert.equal(found?.isInProduction, true);
  }
  assert.equal(parseControlFile({ bytes: control(288, 5), ...facts })?.isInProduction, false);
});

test('is none when a byte of it is another, or half of it is of an earlier write', () => {
  for (const at of [0, 17, 45, 287, 288]) {
    const bytes = control(288);
    bytes[at] = (bytes[at] as number) ^ 1;
    assert.equal(parseControlFile({ bytes, ...facts }), undefined, `byte ${at}`);
  }
  const torn = control(288);
  control(288, 5).copy(torn, 0, 0, 128);
  assert.equal(parseControlFile({ bytes: torn, ...facts }), undefined);
  assert.equal(parseControlFile({ bytes: Buffer.alloc(0), ...facts }), undefined);
});
