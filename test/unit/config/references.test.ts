// Secrets: refused and never repeated when they stand in the file, resolved from where a reference points.

import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { resolveSecret, type SecretReference } from '../../../config/index.ts';
import { type ErrorCode, isHoldfastError } from '../../../src/errors/index.ts';
import { changed, errorOf, minimal, problemsOf } from '../../support/configuration.ts';

describe('a secret in the file', () => {
  const secret = 'hunter2-correct-horse';
  for (const [where, text] of [
    ['the url of a database', changed('env:DATABASE_URL', `postgres://holdfast:${secret}@db1/postgres`)],
    ['a passphrase', changed('file: vault.key', `passphrase: ${secret}`)],
    [
      'an access key',
      changed(
        '{ file: copies/local, site: home }',
        `{ s3: { bucket: b, region: r, accessKeyId: ${secret}, secretAccessKey: ${secret} }, site: home }`,
      ),
    ],
    ['a key nobody knows', changed('host: db1', `host: db1, password: ${secret}`)],
    ['another place', changed('hosts: { db1: { site: home }', `hosts: { db1: { site: "postgres://a:${secret}@b/c" }`)],
    ['a broken file', `${minimal}\n  url: [${secret}`],
    ['a key twice', changed('url: "env:DATABASE_URL"', `url: "env:DATABASE_URL", url: ${secret}`)],
  ] as const) {
    test(`in ${where} is refused and not repeated`, () => {
      const error = errorOf(text);
      assert.ok(!JSON.stringify(error).includes(secret) && !error.message.includes(secret), error.message);
    });
  }

  test('is told how it is done', () => {
    const [problem] = problemsOf(changed('env:DATABASE_URL', 'postgres://a:b@c/d'));
    assert.match(
      problem ?? '',
      /^9:27: database\.main\.url, expected a reference, env:NAME or file:\/path, because a secret does not belong in this file/,
    );
    assert.match(
      problemsOf(changed('env:DATABASE_URL', 'aws-secret:prod'))[0] ?? '',
      /aws-secret: is not supported by this version$/,
    );
    assert.match(
      problemsOf(changed('env:DATABASE_URL', 'env:not-a-name'))[0] ?? '',
      /expected env: followed by the name of a variable/,
    );
  });
});

describe('a reference', () => {
  let directory: string;
  const own = (name: string) => path.join(directory, name);
  before(async () => {
    directory = await mkdtemp(path.join(os.tmpdir(), 'holdfast-config-'));
  });
  after(() => rm(directory, { recursive: true, force: true }));

  const reference = (text: string) => text as SecretReference;
  const unresolved = (text: string, message: RegExp) =>
    assert.rejects(
      resolveSecret(reference(text)),
      (error) => isHoldfastError(error, 'SECRET_UNRESOLVED' satisfies ErrorCode) && message.test(error.message),
    );

  test('to a file gives a secret less one newline, to a variable what it is', async () => {
    await writeFile(own('secret'), ' two words \n\n');
    assert.equal(await resolveSecret(reference(`file:${own('secret')}`)), ' two words \n');
    process.env.HOLDFAST_TEST_SECRET = 'value';
    assert.equal(await resolveSecret(reference('env:HOLDFAST_TEST_SECRET')), 'value');
    delete process.env.HOLDFAST_TEST_SECRET;
  });

  test('to no secret, or one that is none, is an error without the value', async () => {
    await writeFile(own('empty'), '\n');
    await unresolved(`file:${own('empty')}`, /is empty$/);
    await unresolved(`file:${own('none')}`, /cannot be read \(ENOENT\)$/);
    await unresolved('env:HOLDFAST_TEST_UNSET', /'HOLDFAST_TEST_UNSET' is not set$/);
    await unresolved('postgres://a:hunter2@b', /^(?!.*hunter2)/);
  });
});
