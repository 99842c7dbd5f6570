// Where a host keeps its state.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseConfiguration, stateDirectoryOf } from '../../../config/index.ts';
import { isHoldfastError } from '../../../src/errors/index.ts';
import { changed, FILE } from '../../support/configuration.ts';

test('the state directory is the configured one, else one of the user', () => {
  const configuration = parseConfiguration(
    changed('db1: { site: home }', 'db1: { site: home, stateDirectory: state }, db2: { site: home }'),
    FILE,
  );
  assert.equal(stateDirectoryOf(configuration, 'db1'), '/etc/holdfast/state');
  assert.match(stateDirectoryOf(configuration, 'db2'), /holdfast\/acme$/);
  assert.throws(
    () => stateDirectoryOf(configuration, 'db3'),
    (error) => isHoldfastError(error, 'CONFIG_INVALID'),
  );
});
