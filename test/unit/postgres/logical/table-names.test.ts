// What the parts of a table are called when it gets another name, and where replaced rows are kept.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { keptTable, nameUnder, passingSchema } from '../../../../src/postgres/logical/table/table-names.ts';

test('parts of a table are called after its new name, and long names keep apart', () => {
  assert.equal(nameUnder('entries', 'entries', 'then'), 'then');
  assert.equal(nameUnder('entries_2025', 'entries', 'then'), 'then_2025');
  assert.equal(nameUnder('notes', 'entries', 'then'), 'then_notes');
  assert.equal(nameUnder('entries_2025', 'entries', 'entries_2025'), 'entries_2025_2025');
  const long = (letter: string) => nameUnder(`entries_${'ä'.repeat(29)}${letter}`, 'entries', 'entries_then');
  assert.notEqual(long('a'), long('b'));
  assert.ok(Buffer.byteLength(long('a')) <= 63);
});

test('replaced rows are kept beside the table, in a table of the run', () => {
  const table = { schema: 'ledger', table: 'entries' };
  assert.deepEqual(keptTable(table, 'part-3f9a1c2b'), { schema: 'ledger', table: 'entries_before_3f9a1c2b' });
  const long = keptTable({ schema: 'ledger', table: 'e'.repeat(63) }, 'part-3f9a1c2b').table;
  assert.ok(Buffer.byteLength(long) <= 63 && !/^e+$/.test(long), long);
  assert.equal(passingSchema('part-3f9a1c2b'), 'holdfast_part_3f9a1c2b');
});
