// Every name of a file system has exactly one text, and the text gives its bytes back.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  bytesOfText,
  pathOfText,
  shownPath,
  shownTyped,
  textOfPath,
  textOfShown,
} from '../../../src/domain/path-text.ts';

describe('paths as text', () => {
  const names: [string, readonly number[]][] = [
    ['plain', [...Buffer.from('a/b c')]],
    ['letters of every plane', [...Buffer.from('äöü 漢字 🐘 \u{10ffff}')]],
    ['a byte order mark', [0xef, 0xbb, 0xbf, 0x61]],
    ['the replacement character itself', [0xef, 0xbf, 0xbd]],
    ['a lone continuation', [0x61, 0x80, 0x62]],
    ['a cut character at the end', [0x61, 0xe6, 0xbc]],
    ['an overlong form', [0xc0, 0xaf]],
    ['an encoded surrogate', [0xed, 0xb2, 0x80]],
    ['too large a character', [0xf4, 0x90, 0x80, 0x80]],
    [
      'every byte but the two that no name holds',
      Array.from({ length: 254 }, (_, at) => at + 1).filter((b) => b !== 47),
    ],
    ['what looks like an escape between the halves of others', [0xff, 0xf0, 0x9f, 0x90, 0x98, 0xfe]],
  ];

  for (const [title, bytes] of names) {
    it(`comes back byte by byte: ${title}`, () => {
      const text = textOfPath(Uint8Array.from(bytes));
      assert.deepEqual([...bytesOfText(text)], bytes);
      assert.equal(JSON.parse(JSON.stringify(text)), text);
      assert.equal(textOfShown(shownPath(text)), text);
      const path = pathOfText(text);
      assert.deepEqual([...(typeof path === 'string' ? Buffer.from(path) : path)], bytes);
    });
  }

  it('comes back byte by byte for bytes of every kind, and no two have the same text', () => {
    const texts = new Map<string, string>();
    let state = 1;
    for (let number = 0; number < 5_000; number++) {
      const bytes = Uint8Array.from({ length: 1 + (number % 7) }, () => {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
        return 1 + (((state >>> 16) * 255) >>> 16);
      });
      const text = textOfPath(bytes);
      const hex = Buffer.from(bytes).toString('hex');
      assert.equal(bytesOfText(text).toString('hex'), hex);
      assert.equal(textOfShown(shownPath(text)), text);
      assert.equal(texts.get(text) ?? hex, hex);
      texts.set(text, hex);
    }
  });

  it('gives text that needs no escapes back as it is', () => {
    assert.equal(pathOfText('/srv/äöü'), '/srv/äöü');
  });

  it('shows people what a terminal cannot, and nothing that moves its cursor', () => {
    assert.equal(shownPath(textOfPath(Uint8Array.of(0x61, 0xff, 0x0a, 0x1b))), 'a\\xff\\x0a\\x1b');
    assert.equal(shownPath('back\\slash'), 'back\\\\slash');
    assert.equal(shownPath('a\u009b2J'), 'a\\xc2\\x9b2J');
  });

  it('reads what people are shown, in upper case too, and nothing else', () => {
    assert.equal(textOfShown('caf\\xE9\\\\'), 'caf\udce9\\');
    assert.equal(textOfShown('caf\\xc3\\xa9'), 'café');
    for (const other of ['a\\b', 'a\\', 'a\\xg0', 'a\\x1', 'a\\x00']) assert.equal(textOfShown(other), undefined);
  });

  it('shows what was typed so that it can be typed again', () => {
    for (const typed of ['a\\xff', 'a\\\\b', '*.png']) assert.equal(shownTyped(typed), typed);
    assert.equal(shownTyped('a\udcff\n\\'), 'a\\xff\\x0a\\\\');
  });
});
