// Outputs of a real server: roles come whole into the vault, no verifier of a password comes into Git, and asking twice makes no second commit.

import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readOwn } from '../../../src/configuration/own-entries.ts';
import { run } from '../../../src/process/index.ts';
import { testPostgres } from '../../support/components.ts';
import { captureNumber, detailsOf, git, placeIn, sourceOf } from '../../support/configuration-capture.ts';
import { secretsInRepository } from '../../support/planted-secrets.ts';
import { testVault } from '../../support/vault.ts';

test('the roles of a cluster are captured whole, and shown without their passwords', async (t) => {
  const postgres = await testPostgres(t);
  const base = await mkdtemp(join(tmpdir(), 'holdfast-outputs-'));
  const vault = await testVault();
  try {
    await mkdir(join(base, 'etc'));
    await writeFile(join(base, 'etc/hosts'), '127.0.0.1 localhost\n');
    const psql = join(postgres.bindir, 'psql');
    await run(psql, ['--quiet', '-c', "CREATE ROLE app LOGIN PASSWORD 'r0le-password'", postgres.superuserUrl]);
    const globals = {
      ...{ name: 'globals', timeoutMs: 60_000, largestBytes: 1024 * 1024 },
      argv: ['/bin/sh', '-c', `${join(postgres.bindir, 'pg_dumpall')} --globals-only --dbname="$URL"`] as const,
      env: { URL: postgres.superuserUrl },
    };
    const capture = (number: number) =>
      captureNumber({
        vault: vault.vault,
        stateDirectory: join(base, 'state'),
        source: sourceOf([join(base, 'etc')], { commands: [{ ...globals, argv: [...globals.argv] }] }),
        number,
      });
    const { snapshot } = await capture(1);
    assert.equal(snapshot.state, 'clean', JSON.stringify(detailsOf(snapshot).commands));
    const reader = await vault.vault.openSnapshot(snapshot.id);
    const whole = (await readOwn(reader, '.holdfast-configuration/commands/globals'))?.toString() ?? '';
    reader.close();
    const [verifier = ''] = /SCRAM-SHA-256\$[^']+/.exec(whole) ?? [];
    assert.ok(verifier.length > 60, whole);
    const repository = placeIn(join(base, 'state')).repository;
    const shown = await git(repository, 'show', 'main:commands/globals');
    assert.match(shown, /^CREATE ROLE app;$/m);
    assert.match(shown, /^ALTER ROLE app .* PASSWORD '\[redacted password verifier [0-9a-f]{8}\]';$/m);
    assert.deepEqual(await secretsInRepository(repository, [verifier, postgres.superuserUrl]), []);
    assert.equal(detailsOf((await capture(2)).snapshot).repository.summary, 'Nothing changed');
  } finally {
    await rm(base, { recursive: true, force: true });
    await vault[Symbol.asyncDispose]();
  }
});
