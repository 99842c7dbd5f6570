// What the engine of configuration is asked: files that the product's own configuration refers to never show, whatever name leads to them.

import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { componentOf, type HostConfigurationSettings, parseConfiguration } from '../../../config/index.ts';
import { configurationSource } from '../../../src/host/configuration-source.ts';
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
