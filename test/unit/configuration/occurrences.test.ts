// Occurrences of known values, found in one pass, are those that are found one value after another.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Occurrences } from '../../../src/configuration/redaction/occurrences.ts';
import { seeded } from '../../support/seeded.ts';

/** For each character whether it is part of one. */
function covered(text: string, spans: readonly { readonly from: number; readonly to: number }[]): string {
  const marks = Array.from(text, () => '.');
  for (const { from, to } of spans) marks.fill('#', from, to);
  return marks.join('');
}

function oneByOne(text: string, values: readonly string[]) {
  return values.flatMap((value) => {
    const spans = [];
    for (let at = text.indexOf(value); at !== -1; at = text.indexOf(value, at + 1)) {
      spans.push({ from: at, to: at + value.length });
    }
    return spans;
  });
}

describe('occurrences of known values', () => {
  it('are those of each by itself, whatever their lengths, beginnings and overlaps', () => {
    const next = seeded(7);
    const random = (below: number) => Math.floor(next() * below);
    const word = (length: number) => Array.from({ length }, () => 'abé'.charAt(random(3))).join('');
    for (let round = 0; round < 300; round++) {
      const values = Array.from({ length: 1 + random(8) }, () => word(1 + random(14)));
      // Long ones are in the text, too, at its very beginning and end.
      const text = `${values[0]}${word(random(60))}${values.at(-1)}${word(random(60))}${values[0]}`;
      assert.equal(covered(text, new Occurrences(values).in(text)), covered(text, oneByOne(text, values)), text);
    }
  });

  it('are none where there is no value, or no text', () => {
    assert.deepEqual(new Occurrences([]).in('text'), []);
    assert.deepEqual(new Occurrences(['']).in('text'), []);
    assert.deepEqual(new Occurrences(['longer than the text']).in('text'), []);
    assert.deepEqual(new Occurrences(['x']).in(''), []);
  });
});
