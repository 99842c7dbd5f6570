// Columns by name, as a configuration writes them.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseColumnName } from '../../../src/domain/column-name.ts';

describe('the name of a column', () => {
  it('has schema, table and column, and a database where it is another', () => {
    assert.deepEqual(parseColumnName('public.orders.id'), { schema: 'public', table: 'orders', column: 'id' });
    const shop = { database: 'shop', schema: 'public', table: 'orders', column: 'id' };
    assert.deepEqual(parseColumnName('shop.public.orders.id'), shop);
    const odd = { schema: 'Odd.Schema', table: 'a "b"', column: 'c' };
    assert.deepEqual(parseColumnName('"Odd.Schema"."a ""b""".c'), odd);
  });

  it('is refused in any other form', () => {
    for (const text of ['', 'id', 'orders.id', 'a.b.c.d.e', 'a..b', '.a.b.c', 'a.b.c.', '"a.b.c', 'a."b"x.c', '"".b.c'])
      assert.throws(() => parseColumnName(text), RangeError, text);
  });
});
