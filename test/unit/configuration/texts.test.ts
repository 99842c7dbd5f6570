// What Git is given of files: their bytes as they were captured or none, within bounds, and a line with a keyed hash for the rest.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, link, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { LookedTexts } from '../../../src/configuration/looked-texts.ts';
import { hasLineLongerThan, readAsCaptured, sha256Of } from '../../../src/configuration/read-as-captured.ts';
import { Redaction } from '../../../src/configuration/redaction/redaction.ts';
import { type Texts, type TextsRequest, textsOf } from '../../../src/configuration/texts.ts';
import { run } from '../../../src/process/index.ts';
import type { TreeEntry } from '../../../src/vault/index.ts';
import { memoryDirectory } from '../../support/vault.ts';

const MIB = 1024 * 1024;
const sha256 = (bytes: string | Buffer) => createHash('sha256').update(bytes).digest('hex');

describe('texts for Git', () => {
  let base: string;
  const redaction = new Redaction({ key: Buffer.alloc(32, 7), rules: [{ pattern: '^LIC-[0-9]+$', kind: 'licence' }] });
  const at = (name: string) => join(base, name);

  /** As a capture tells it, of the bytes that it read. */
  async function plant(name: string, captured: string | Buffer): Promise<TreeEntry> {
    await writeFile(at(name), captured);
    const { size, mode } = await stat(at(name));
    const path = at(name).slice(1);
    return { path, type: 'file', mode: mode & 0o7777, mtimeSeconds: 1, sizeBytes: size, sha256: sha256(captured) };
  }

  const texts = (
    entries: readonly TreeEntry[],
    changes: Partial<TextsRequest> & { largestTextBytes?: number } = {},
  ) => {
    const source = { withhold: [], largestTextBytes: changes.largestTextBytes ?? MIB };
    return textsOf({ source, entries, ran: [], redaction, before: new Map(), ...changes });
  };
  const textAt = ({ files }: Texts, name: string) =>
    String(files.find(({ path }) => path === `files${at(name)}`)?.content ?? assert.fail(name));

  before(async () => {
    base = await mkdtemp(join(memoryDirectory(), 'holdfast-texts-'));
  });
  after(async () => {
    await redaction.close();
    await rm(base, { recursive: true, force: true });
  });

  it('say of one that is too large how large it is, and by a keyed hash whether it changed', async () => {
    const large = await plant('large.log', `password = c1ear-text\n${'x'.repeat(MIB)}`);
    const made = await texts([large]);
    const line = textAt(made, 'large.log');
    assert.match(line, new RegExp(`^\\[withheld: too large, ${large.sizeBytes} bytes [0-9a-f]{8}\\]\\n$`));
    assert.deepEqual(made.withheld, { count: 1, first: [{ place: large.path, why: 'too large' }] });
    assert.ok(!JSON.stringify(made).includes('c1ear-text'));
    assert.equal(textAt(await texts([large]), 'large.log'), line);
    const changed = await plant('large.log', `password = other-text\n${'x'.repeat(MIB)}`);
    assert.notEqual(textAt(await texts([changed]), 'large.log'), line);
    // A hard link has no size of its own.
    await link(at('large.log'), at('link.log'));
    const name = {
      ...changed,
      path: at('link.log').slice(1),
      type: 'hardlink',
      sizeBytes: 0,
      linkTarget: changed.path,
    };
    const linked = await texts([changed, name as TreeEntry]);
    assert.match(textAt(linked, 'link.log'), /^\[withheld: too large, 1048598 bytes /);
  });

  it('give nothing of a text with a line of 50 MB', async () => {
    const entry = await plant('line.json', `{"password": "l1ne-secret", "x": "${'y'.repeat(50 * 1000 * 1000)}"}\n`);
    const made = await texts([entry], { largestTextBytes: 64 * MIB });
    assert.match(textAt(made, 'line.json'), /^\[withheld: a line is too long [0-9a-f]{8}\]\n$/);
    assert.equal(hasLineLongerThan('ab\nabc\n', 3), false);
    assert.equal(hasLineLongerThan('ab\nabcd\na', 3), true);
    assert.equal(hasLineLongerThan('a\nabcd', 3), true);
  });

  it('are no more than memory holds, and what is in a withheld one is a secret all the same', async () => {
    const first = await plant('first', 'a'.repeat(600));
    const secret = await plant('second.key', 'password = in-withheld-1\n');
    const third = await plant('third', 'b'.repeat(600));
    const looked = new LookedTexts({ redaction, largestBytes: MIB, allBytes: 1000 });
    await looked.file(first.path, first, undefined);
    await looked.file(secret.path, secret, 'name of a secret file');
    await looked.file(third.path, third, undefined);
    assert.deepEqual(looked.of(first.path), { text: 'a'.repeat(600), spans: [] });
    assert.deepEqual(looked.of(secret.path), { why: 'name of a secret file' });
    assert.deepEqual(looked.of(third.path), { why: 'more text than is looked through' });
    const large = new LookedTexts({ redaction, largestBytes: MIB, allBytes: 500 });
    await large.file(first.path, first, undefined);
    assert.deepEqual(large.of(first.path), { why: 'too large' });
    assert.match(await redaction.words({ text: 'see in-withheld-1', place: 'x' }), /^see \[redacted/);
  });

  it('are of no file that is a secret under another name, and have nothing of what such a file holds', async () => {
    const whole = 'Ab3-the-whole-of-it';
    const secret = await plant('one.key', `${whole}\n`);
    const copy = await plant('copy-of-one', `${whole}\n`);
    const shadow = await plant('shadow', 'root:*:19000:\nx:plain-as-day1:1:\n');
    const early = { ...shadow, path: at('another').slice(1) };
    await link(at('shadow'), at('another'));
    const asLink = { ...shadow, type: 'hardlink', sizeBytes: 0, linkTarget: early.path } as const;
    const other = await plant('app.conf', `# see ${whole}\nthreads = 4\n`);
    const small = [await plant('empty', ''), await plant('empty.key', '')];
    const short = await plant('short.key', 'ab1\n');
    await link(at('short.key'), at('short-link'));
    const shortLink = { ...short, path: at('short-link').slice(1), type: 'hardlink', linkTarget: short.path } as const;
    const made = await texts([secret, copy, early, asLink, other, short, shortLink, ...small]);
    for (const name of ['copy-of-one', 'another', 'short-link']) {
      assert.match(textAt(made, name), /^\[withheld: same content as one that is withheld [0-9a-f]{8}\]\n$/, name);
    }
    for (const name of ['one.key', 'shadow', 'empty.key']) {
      assert.match(textAt(made, name), /^\[withheld: name of a secret file [0-9a-f]{8}\]\n$/, name);
    }
    assert.match(textAt(made, 'app.conf'), /^# see \[redacted secret of another place [0-9a-f]{8}\]\nthreads = 4\n$/);
    assert.equal(textAt(made, 'empty'), '');
    for (const text of [whole, 'plain-as-day1']) assert.ok(!JSON.stringify(made.files).includes(text), text);
  });

  it('are the bytes of the snapshot: of a file that changed since, Git keeps what it had, and it is told', async () => {
    const entry = await plant('changing', 'as it was captured\n');
    const other = await plant('other', 'stays\n');
    await writeFile(at('changing'), 'as it became, with t0ken=unseen-yet\n');
    const kept = { path: `files${at('changing')}`, mode: '100644', oid: '1'.repeat(40) };
    const made = await texts([entry, other], { before: new Map([[kept.path, kept]]) });
    assert.deepEqual(made.kept, [kept]);
    assert.deepEqual(made.withheld, { count: 1, first: [{ place: entry.path, why: 'changed while it was read' }] });
    assert.ok(!JSON.stringify(made.files).includes('as it became'));
    assert.equal(textAt(made, 'other'), 'stays\n');
    // In a first commit there is nothing to keep.
    assert.equal((await texts([entry])).files.length, 1);
    await writeFile(at('changing'), 'as it was captured\n');
    assert.equal(textAt(await texts([entry]), 'changing'), 'as it was captured\n');
  });

  it('are unfit for a commit while a secret of our own is not known, and the run is told which', async () => {
    const entry = await plant('own.log', 'harmless\n');
    const of = async (unread: readonly string[]) => {
      const ownSecrets = { values: [], contents: [], unread };
      return await texts([entry], { source: { withhold: [], largestTextBytes: MIB, ownSecrets } });
    };
    const known = await of([]);
    assert.deepEqual([known.unfit, known.withheld.count], [undefined, 0]);
    const unknown = await of(['/h/a', '/h/b']);
    assert.equal(unknown.unfit, 'a secret of our own could not be read');
    const why = 'secret of our own that cannot be read' as const;
    const first = ['h/a', 'h/b'].map((place) => ({ place, why }));
    assert.deepEqual(unknown.withheld, { count: 2, first });
  });

  it('are of files alone, and never followed through a link or past a limit', async () => {
    const entry = await plant('real', 'text\n');
    assert.equal(String(await readAsCaptured(entry.path, entry.sha256, MIB)), 'text\n');
    await symlink(at('real'), at('to-real'));
    assert.equal(await readAsCaptured(at('to-real').slice(1), entry.sha256, MIB), 'other');
    assert.equal(await readAsCaptured(base.slice(1), entry.sha256, MIB), 'other');
    // Nobody ever writes into this one.
    await run('mkfifo', [at('pipe')]);
    assert.equal(await readAsCaptured(at('pipe').slice(1), entry.sha256, MIB), 'other');
    assert.equal(await sha256Of(at('pipe').slice(1)), undefined);
    assert.equal(await sha256Of(entry.path), entry.sha256);
    await appendFile(at('real'), 'x'.repeat(100));
    assert.equal(await readAsCaptured(entry.path, entry.sha256, 50), 'too large');
  });

  it('have no secret in names, in where links lead, or in what metadata tells of both; two of one name stay two', async () => {
    const leader = await plant('LIC-111111', 'harmless\n');
    const of = (name: string, type: TreeEntry['type'], linkTarget: string): TreeEntry => ({
      ...{ path: at(name).slice(1), type, mode: 0o777, mtimeSeconds: 1, sizeBytes: 0, linkTarget },
    });
    await link(at('LIC-111111'), at('hard'));
    const entries = [leader, of('hard', 'hardlink', leader.path), of('soft', 'symlink', '/srv/LIC-222222/x')];
    const made = await texts(entries);
    assert.ok(!JSON.stringify(made).includes('LIC-'), JSON.stringify(made));
    assert.equal(made.files.length, 4);
    const metadata = String(made.files.at(-1)?.content);
    assert.match(metadata, /^hardlink \S+ \S+ \S+\/hard = \S+\/\[redacted licence [0-9a-f]{8}\]$/m);
    assert.match(textAt(made, 'soft'), /^\/srv\/\[redacted licence [0-9a-f]{8}\]\/x$/);
    assert.equal(textAt(made, 'hard'), 'harmless\n');
    const blind = {
      ...redaction,
      words: async () => 'etc/[redacted x 00000000]',
      find: async () => [],
      digits: () => '0',
    };
    const same = await textsOf({
      source: { withhold: [], largestTextBytes: 1 },
      entries: [leader, { ...leader, path: `${leader.path}2` }],
      ...{ ran: [], before: new Map(), redaction: blind as unknown as Redaction },
    });
    assert.equal(new Set(same.files.map(({ path }) => path)).size, 3);
  });
});
