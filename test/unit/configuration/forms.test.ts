// The forms in which programs print a value that is known: each of them is one that a real writer makes.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formsOf } from '../../../src/configuration/redaction/forms.ts';
import { Occurrences } from '../../../src/configuration/redaction/occurrences.ts';

const VALUE = `p/a'ss"w&rd <é>+ 1*`;

/** What of the text is left, where all that is found is taken out. */
function left(text: string, value = VALUE): string {
  let rest = '';
  let at = 0;
  const spans = new Occurrences(formsOf(value)).in(text).sort((a, b) => a.from - b.from);
  for (const { from, to } of spans) {
    rest += text.slice(at, Math.max(at, from));
    at = Math.max(at, to);
  }
  return rest + text.slice(at);
}

test('a known value is found in SQL, JSON, XML, scripts and addresses', () => {
  const json = JSON.stringify(VALUE).slice(1, -1);
  const address = encodeURIComponent(VALUE);
  const strict = address.replaceAll("'", '%27').replaceAll('*', '%2A');
  const lower = strict.replaceAll(/%[0-9A-F]{2}/g, (each) => each.toLowerCase());
  const xml = VALUE.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
  const forms = {
    'as it is': VALUE,
    'SQL, doubled quotes': VALUE.replaceAll("'", "''"),
    'MySQL, backslashes': VALUE.replaceAll("'", "\\'"),
    CSV: VALUE.replaceAll('"', '""'),
    'a shell, quoted': VALUE.replaceAll("'", `'\\''`),
    'Python, shlex.quote': VALUE.replaceAll("'", `'"'"'`),
    JSON: json,
    'JSON of PHP': json.replaceAll('/', '\\/'),
    'JSON of Python': json.replaceAll('é', '\\u00e9'),
    'JSON of Go': json.replaceAll('&', '\\u0026').replaceAll('<', '\\u003c').replaceAll('>', '\\u003e'),
    'text of XML': xml,
    'an attribute of XML': xml.replaceAll('"', '&quot;').replaceAll("'", '&apos;'),
    'HTML of Python': xml.replaceAll('"', '&quot;').replaceAll("'", '&#x27;'),
    'HTML of Go': xml.replaceAll('"', '&#34;').replaceAll("'", '&#39;'),
    'an address': address,
    'an address of Python': strict,
    'an address in lower case': lower,
    'a form': strict.replaceAll('%20', '+'),
  };
  for (const [what, form] of Object.entries(forms)) assert.equal(left(`a ${form} b`), 'a  b', what);
});

test('a known value is found in base64 wherever it stands in what was encoded', () => {
  for (const before of ['', 'u:', 'us:', 'user:']) {
    for (const after of ['', '!', '!!']) {
      for (const encoding of ['base64', 'base64url'] as const) {
        const encoded = Buffer.from(`${before}${VALUE}${after}`).toString(encoding);
        const rest = left(encoded);
        const around = Buffer.byteLength(before) + Buffer.byteLength(after);
        assert.ok(rest.length <= Math.ceil((around * 4) / 3) + 6, `${before}…${after}: ${rest} of ${encoded}`);
        const isGuessed = Buffer.from(rest, encoding).includes(VALUE.slice(2, 8));
        assert.ok(!isGuessed && rest.length < encoded.length - 10, rest);
      }
    }
  }
});

test('of a short value there is no other form, and what is not its form stays', () => {
  assert.deepEqual(formsOf('ab"'), ['ab"']);
  for (const text of ['ab%22', Buffer.from('another value').toString('base64')]) assert.equal(left(text), text);
});
