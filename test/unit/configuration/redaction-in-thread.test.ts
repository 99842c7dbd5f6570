// Redaction in its thread: a text that takes for ever costs itself and nothing else, and what could not be looked through is never shown.

import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { Redaction, type RedactionOptions } from '../../../src/configuration/redaction/redaction.ts';

const EVIL = 'a'.repeat(40);
const BACKTRACKS = { pattern: '(a+)+b', kind: 'x' };
/** Shorter than what a rule may take, so that it is the thread which is ended; of other texts far longer than they need. */
const endsEvil = (lengthChars: number) => (lengthChars === EVIL.length ? 300 : 120_000);

function redaction(t: TestContext, options: Partial<RedactionOptions> = {}): Redaction {
  const made = new Redaction({ key: Buffer.alloc(32, 7), rules: [BACKTRACKS], ...options });
  t.after(() => made.close());
  return made;
}

describe('redaction in its thread', () => {
  it('gives up a rule that backtracks for ever, and the process goes on meanwhile', async (t) => {
    const redacting = redaction(t);
    let beats = 0;
    const heart = setInterval(() => beats++, 20);
    t.after(() => clearInterval(heart));
    assert.deepEqual(await redacting.find({ text: EVIL }), { unlooked: 'pattern takes too long' });
    assert.ok(beats >= 5, `${beats}`);
    assert.deepEqual(await redacting.find({ text: 'nothing' }), []);
    assert.match(await redacting.words({ text: EVIL, place: 'names' }), /^\[redacted unread [0-9a-f]{8}\]$/);
  });

  it('ends a thread that takes too long, and forgets nothing with it', async (t) => {
    const redacting = redaction(t, { limitMs: endsEvil, known: ['kn0wn'], remembered: ['remembered-5ecret'] });
    const spans = await redacting.find({ text: 'password = f0und-before' });
    assert.ok(Array.isArray(spans) && spans.length === 1);
    assert.deepEqual(await redacting.find({ text: EVIL }), { unlooked: 'takes too long to look through' });
    const words = await redacting.words({ text: 'kn0wn, remembered-5ecret, f0und-before, plain', place: 'x' });
    assert.match(words, /^(?:\[redacted secret of another place [0-9a-f]{8}\], ){3}plain$/);
    const written = await redacting.write({ place: 'p', text: 'f0und-before' }, []);
    assert.ok('text' in written && !written.text.includes('f0und'));
    assert.deepEqual(redacting.remembered, ['f0und-before', 'remembered-5ecret']);
  });

  it('remembers what was given by reference: a log still has it when it was changed', (t) => {
    const redacting = redaction(t, { known: ['given-by-reference', 'short'], remembered: ['remembered-5ecret'] });
    assert.deepEqual(redacting.remembered, ['given-by-reference', 'remembered-5ecret']);
  });

  it('remembers of what is ours only what a text has, and takes all of it out', async (t) => {
    const redacting = redaction(t, { own: ['ours-in-a-l0g', 'ours-nowhere-1'], rules: [] });
    const spans = await redacting.find({ text: 'login with ours-in-a-l0g' });
    assert.ok(Array.isArray(spans));
    assert.match(await redacting.words({ text: 'ours-nowhere-1', place: 'x' }), /^\[redacted /);
    assert.deepEqual(redacting.remembered, ['ours-in-a-l0g']);
  });

  it('remembers no words that look random: a list of digests has thousands, and each is found again', async (t) => {
    const redacting = redaction(t, { remembered: ['remembered-5ecret'], rules: [] });
    const random = 'q7Rk2Xz9Lm4Tn8Vb1Wc6Yd3Ef5Gh0';
    await redacting.find({ text: `seed ${random}\npassword = f0und-before\napi_key = ${random}z\n` });
    assert.deepEqual(
      redacting.remembered.filter((value) => value !== 'remembered-5ecret'),
      ['f0und-before', `${random}z`],
    );
    assert.match(await redacting.words({ text: `x.${random}.y`, place: 'x' }), /^x\.\[redacted .*\]\.y$/);
  });

  it('says when short texts are not looked through any more', async (t) => {
    const ended = redaction(t, { limitMs: endsEvil });
    for (let time = 0; time < 5; time++) await ended.find({ text: EVIL });
    assert.equal(ended.hasGivenUpWords, false);
    await ended.words({ text: 'harmless', place: 'names' });
    assert.equal(ended.hasGivenUpWords, true);
    const slow = redaction(t, { limitMs: endsEvil, rules: [{ ...BACKTRACKS, files: ['x'] }] });
    for (let time = 0; time < 4; time++) await slow.words({ text: EVIL, place: 'names', path: 'x' });
    assert.deepEqual([slow.hasGivenUpWords, await slow.words({ text: 'fine', place: 'names' })], [false, 'fine']);
  });

  it('takes a known value out in every form in which programs print it', async (t) => {
    const value = 'q"u/o te&d';
    const redacting = redaction(t, { known: [value, 'ab"'], rules: [] });
    const forms = [value, 'q\\"u/o te&d', 'q%22u%2Fo%20te%26d', Buffer.from(value).toString('base64')];
    for (const form of [...forms, Buffer.from(`${value}!`).toString('base64')]) {
      const words = await redacting.words({ text: `it is ${form}, really`, place: 'x' });
      assert.match(words, /^it is \[redacted [^\]]+\][A-Za-z0-9=]{0,3}, really$/, form);
    }
    assert.equal(await redacting.words({ text: 'ab%22 YWIi', place: 'x' }), 'ab%22 YWIi');
  });

  it('remembers the newest, and no more than a vault should carry on and on', async (t) => {
    const old = Array.from({ length: 12_000 }, (_, number) => `old-5ecret-${number}`);
    const redacting = redaction(t, { remembered: old });
    await redacting.find({ text: `password = fr3sh-one\ntoken = ${'t0'.repeat(40_000)}\n` });
    const { remembered } = redacting;
    assert.deepEqual([remembered.length, ...remembered.slice(0, 2)], [10_000, 'fr3sh-one', 'old-5ecret-0']);
    const long = Array.from({ length: 300 }, (_, number) => `${number}${'x1'.repeat(30_000)}`);
    const bytes = redaction(t, { remembered: long }).remembered.join('').length;
    assert.ok(bytes <= 8 * 1024 * 1024 && bytes > 7 * 1024 * 1024, `${bytes}`);
  });

  it('looks no further when texts have cost it several threads', async (t) => {
    const redacting = redaction(t, { limitMs: endsEvil });
    for (let time = 0; time < 5; time++) {
      assert.deepEqual(await redacting.find({ text: EVIL }), { unlooked: 'takes too long to look through' });
    }
    assert.deepEqual(await redacting.find({ text: 'harmless' }), { unlooked: 'takes too long to look through' });
    assert.match(await redacting.words({ text: 'harmless', place: 'names' }), /^\[redacted unread [0-9a-f]{8}\]$/);
    assert.deepEqual(await redacting.write({ place: 'p', text: 'x' }, []), {
      unlooked: 'takes too long to look through',
    });
  });

  it('can be told to stop in the middle, and does not begin when it was told before', async (t) => {
    const controller = new AbortController();
    const redacting = redaction(t, { signal: controller.signal });
    const looking = redacting.find({ text: EVIL });
    const other = redacting.find({ text: 'x' });
    setTimeout(() => controller.abort(), 300);
    await assert.rejects(looking, { code: 'CANCELLED' });
    await assert.rejects(other, { code: 'CANCELLED' });
  });
});
