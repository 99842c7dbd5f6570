// `configuration diff` as it is typed and as it is read, and a snapshot of configuration in words.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { configurationDiff } from '../../../src/cli/commands/configuration.ts';
import type { Context } from '../../../src/cli/context.ts';
import { configurationLines, pushLine } from '../../../src/cli/render/configuration.ts';
import { renderText } from '../../../src/cli/render/text.ts';
import type { HoldfastClient } from '../../../src/domain/client.ts';
import type { ConfigurationDiffReport, ConfigurationDiffRequest } from '../../../src/domain/configuration-diff.ts';
import type { Moment } from '../../../src/domain/moment.ts';
import { configurationWarnings } from '../../../src/domain/snapshot-words.ts';
import { type ErrorCode, isHoldfastError } from '../../../src/errors/index.ts';

const settings = (name: string) => ({ id: `configuration/${name}`, name, host: 'db1', kind: 'configuration' });
const report: ConfigurationDiffReport = {
  component: 'configuration/etc',
  from: { snapshot: '20261123T010000Z-3f9a1c2b', at: '2026-11-23T01:00:05.000000Z' as Moment },
  to: 'now',
  changes: { count: 1, first: [{ what: 'changed', path: 'files/etc/hosts' }] },
  text: 'diff --git files/etc/hosts files/etc/hosts\n+10.0.0.1 db\n',
  isCut: false,
};

/** What is asked of the host for these words, in an estate with these configurations. */
async function typed(words: readonly string[], names: readonly string[], answer = report) {
  const asked: ConfigurationDiffRequest[] = [];
  const client = {
    configurationDiff: async (request: ConfigurationDiffRequest) => {
      asked.push(request);
      return answer;
    },
  } as unknown as HoldfastClient;
  const configuration = Object.fromEntries(names.map((name) => [name, settings(name)]));
  const context = {
    options: {},
    configuration: async () => ({ timezone: 'UTC', configuration }),
    client: async () => client,
  } as unknown as Context;
  const outcome = await configurationDiff.execute({ args: words }, context, () => assert.fail('refused'));
  return { asked, text: renderText(outcome ?? assert.fail('no outcome'), new Date()) };
}

async function refusal(words: readonly string[], names: readonly string[]): Promise<ErrorCode> {
  const error = await typed(words, names).then(
    () => assert.fail('it was not refused'),
    (thrown: unknown) => thrown,
  );
  return isHoldfastError(error) ? error.code : assert.fail(String(error));
}

describe('configuration diff', () => {
  const component = 'configuration/etc';

  it('takes the component by name or id, or none where there is one, and then two states', async () => {
    const first = async (words: readonly string[], names: readonly string[]) => (await typed(words, names)).asked[0];
    assert.deepEqual(await first(['etc'], ['etc', 'app']), { component, from: 'latest', to: 'now' });
    assert.deepEqual(await first(['configuration/etc', 'latest'], ['etc']), { component, from: 'latest', to: 'now' });
    assert.deepEqual(await first([], ['etc']), { component, from: 'latest', to: 'now' });
    assert.equal(await refusal([], ['etc', 'app']), 'USAGE');
    const id = 'snapshot:20261123T010000Z-3f9a1c2b';
    assert.deepEqual(await first([id, 'latest'], ['etc']), { component, from: id, to: 'latest' });
    const moment = '2026-11-23T05:59:59Z';
    assert.deepEqual(await first(['etc', moment], ['etc']), { component, from: moment, to: 'now' });
  });

  it('refuses what names none of several, states that are none, and now where a snapshot belongs', async () => {
    assert.equal(await refusal(['srv'], ['etc', 'app']), 'UNKNOWN_COMPONENT');
    assert.equal(await refusal(['etc', 'yesterday'], ['etc']), 'MOMENT_INVALID');
    assert.equal(await refusal(['etc', 'now'], ['etc']), 'USAGE');
    assert.equal(await refusal(['etc', 'latest', 'now', 'more'], ['etc']), 'USAGE');
  });

  it('shows what changed by name, then as Git shows it, and says when nothing did or not all is there', async () => {
    const { text } = await typed(['etc'], ['etc']);
    assert.match(
      text,
      /^configuration\/etc: 20261123T010000Z-3f9a1c2b of .* → now\n {2}changed {2}files\/etc\/hosts\n\n/,
    );
    assert.match(text, /\n\+10\.0\.0\.1 db\n$/);
    const same = { ...report, changes: { count: 0, first: [] }, text: '' };
    assert.match((await typed(['etc'], ['etc'], same)).text, /\nnothing differs\n$/);
    const notCompared = [{ place: 'etc/x', why: 'changed while it was read' }];
    assert.match(
      (await typed(['etc'], ['etc'], { ...same, notCompared })).text,
      /\n {2}not compared: etc\/x \(changed while it was read\)\nnothing else differs\n$/,
    );
    assert.match((await typed(['etc'], ['etc'], { ...report, notCompared })).text, /not compared: etc\/x/);
    assert.match((await typed(['etc'], ['etc'], { ...report, isCut: true })).text, /\n… there is more: .*\n$/);
  });
});

describe('a snapshot of configuration', () => {
  it('warns of what somebody can mend, and not of what is withheld because of what it is', () => {
    const none = { count: 0, first: [] };
    const all = { ...{ failed: none, missing: none, unmatched: none, empty: none, secrets: none }, commands: 0 };
    const of = (...first: string[]) =>
      configurationWarnings({
        commit: '1',
        isNew: true,
        change: 'x',
        ...all,
        withheld: { count: first.length, first },
      });
    assert.deepEqual(of('/etc/shadow (name of a secret file)', '/var/log/x (too large)', '/a (not text)'), []);
    assert.deepEqual(
      of('/h/a (secret of our own that cannot be read)', '/h/b (secret of our own that cannot be read)'),
      ['no commit was made, because any text may show a secret of our own that cannot be read: /h/a, /h/b'],
    );
    assert.deepEqual(of('/etc/a (changed while it was read)'), [
      'Git keeps what it had of /etc/a (changed while it was read)',
    ]);
    assert.deepEqual(of('/etc/b (pattern takes too long)', '/etc/c (more text than is looked through)'), [
      'not looked through for secrets, and so not in Git: /etc/b (pattern takes too long), /etc/c (more text than is looked through)',
    ]);
  });

  it('tells commit, outputs, what was kept from Git by place and kind, and the push', () => {
    const none = { count: 0, first: [] };
    const lines = configurationLines({
      ...{ commit: '0123456789abcdef', isNew: true, change: 'Changed 2 files', commands: 2 },
      failed: { count: 1, first: ['globals: ended with exit status 1'] },
      ...{ missing: none, unmatched: none, empty: none },
      secrets: { count: 7, first: ['/etc/app.ini:3 (password)'] },
      withheld: { count: 1, first: ['/etc/shadow (name of a secret file)'] },
    });
    assert.deepEqual(lines, [
      '  commit 0123456789ab: Changed 2 files',
      '  1 output of 2 commands',
      '  7 secrets kept from Git: /etc/app.ini:3 (password) and 6 more',
      '  1 withheld from Git as a whole: /etc/shadow (name of a secret file)',
    ]);
    const push = { commit: '0123456789abcdef', at: '2026-11-23T01:00:00Z' };
    assert.equal(pushLine({ ...push, state: 'pushed', behind: 0 }), '  pushed 0123456789ab');
    assert.match(
      pushLine({ ...push, state: 'not pushed', behind: 2 }),
      /^ {2}not pushed: .* the remote lacks 2 commits$/,
    );
  });
});
