import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scramVerifier } from '../../../src/postgres/scram.ts';

test('a verifier is what the RFC makes of its example', () => {
  // RFC 7677, section 3: user "user", password "pencil".
  const salt = Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64');
  assert.equal(
    scramVerifier('pencil', salt),
    'SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=',
  );
});

test('two verifiers of one password differ', () => {
  assert.notEqual(scramVerifier('pencil'), scramVerifier('pencil'));
});
