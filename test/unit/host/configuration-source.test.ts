// What the engine of configuration is asked: files that the product's own configuration refers to never show, whatever name leads to them.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { componentOf, type HostConfigurationSettings, parseConfiguration } from '../../../config/index.ts';
import { configurationSource } from '../../../src/host/configuration-source.ts';
import { ownSecrets, passwordsIn } from '../../../src/host/own-secrets.ts';
import { FILE, minimal } from '../../support/configuration.ts';
import { temporaryDirectory } from '../../support/temporary.ts';

test('a secret file is withheld under the name that is written and under its own', async (t) => {
  const directory = await temporaryDirectory(t);
  const [link, real] = [path.join(directory, 'db.pass'), path.join(directory, 'keys', 'db')] as const;
  await mkdir(path.dirname(real));
  await writeFile(real, 'pw');
  await symlink(real, link);
  const text = minimal.replace('env:DATABASE_URL', `file:${link}`);
  const configuration = parseConfiguration(`${text}configuration: { etc: { host: db1, paths: [/etc] } }\n`, FILE);
  const settings = componentOf(configuration, 'configuration/etc') as HostConfigurationSettings;
  const { withhold } = await configurationSource(configuration, settings);
  assert.ok(withhold.includes(link) && withhold.includes(real), withhold.join());
  // One that is not there is named all the same.
  assert.ok(withhold.includes('/etc/holdfast/vault.key'), withhold.join());
});

test('the secrets that it refers to are known to the looks, as far as this host has them, and its files by what is in them', async (t) => {
  const directory = await temporaryDirectory(t);
  const [url, key, git] = ['url', 'key', 'git'].map((name) => path.join(directory, name)) as [string, string, string];
  await writeFile(url, 'postgres://app:p%40ss-w0rd@db:5432/app\n');
  await writeFile(key, 'line one of a key\nline two\n');
  await writeFile(git, 'r3mote-pw\n');
  process.env.OWN_SECRETS_PASSPHRASE = 'a passphrase of ours';
  t.after(() => {
    delete process.env.OWN_SECRETS_PASSPHRASE;
  });
  const text = minimal
    .replace('env:DATABASE_URL', `file:${url}`)
    .replace('file: vault.key', `file: ${key} }, { name: safe, passphrase: "env:OWN_SECRETS_PASSPHRASE"`);
  const remote = `git: { remote: { url: "https://git.invalid/x.git", user: u, password: "file:${git}" } }`;
  const configuration = parseConfiguration(
    `${text}redis: { cache: { host: db1, url: "env:OWN_SECRETS_NOWHERE" } }\nconfiguration: { etc: { host: db1, paths: [/etc], ${remote} } }\n`,
    FILE,
  );
  const { values, contents } = await ownSecrets(configuration);
  assert.deepEqual([...values].sort(), ['a passphrase of ours', 'p%40ss-w0rd', 'p@ss-w0rd', 'r3mote-pw']);
  const digest = (content: string) => createHash('sha256').update(content).digest('hex');
  assert.ok(contents.includes(digest('line one of a key\nline two\n')) && contents.includes(digest('r3mote-pw\n')));
  assert.equal(contents.length, 3);
  assert.deepEqual(passwordsIn("host=db password='it\\'s one' user=x")[0], "it's one");
  assert.deepEqual(passwordsIn('redis://localhost:6379/0'), []);
});

test('a secret file is of another host only when it is not there: any other that cannot be read is told', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string) => path.join(directory, name);
  await mkdir(at('is-directory'));
  await symlink(at('circle'), at('circle'));
  await symlink(at('nowhere'), at('leads-nowhere'));
  await writeFile(at('empty'), '');
  await writeFile(at('blank'), '\n');
  await writeFile(at('good'), 'g00d-secret\n');
  process.env.OWN_SECRETS_EMPTY = '';
  t.after(() => {
    delete process.env.OWN_SECRETS_EMPTY;
  });
  const ownOf = async (...references: readonly string[]) => {
    const redis = references
      .map((reference, number) => `cache${number}: { host: db1, url: "${reference}" }`)
      .join(', ');
    return await ownSecrets(parseConfiguration(`${minimal}redis: { ${redis} }\n`, FILE));
  };
  const absent = ['not-there', 'leads-nowhere'].map((name) => `file:${at(name)}`);
  const none = await ownOf(...absent, `file:${at('good')}`, 'env:OWN_SECRETS_NOWHERE', 'env:OWN_SECRETS_EMPTY');
  assert.deepEqual([none.unread, none.contents.length], [[], 1]);
  const unreadable = ['blank', 'circle', 'empty', 'is-directory', 'good/below'].map(at).sort();
  const some = await ownOf(...absent, ...unreadable.map((file) => `file:${file}`));
  assert.deepEqual(some.unread, unreadable);
});
