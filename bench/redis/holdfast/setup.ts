// Key and vault, as `holdfast setup --yes` makes them.

import { fail } from '../../../src/errors/index.ts';
import { setUpHost } from '../../../src/host/setup.ts';
import { HOST, logger } from '../../lib/driver.ts';
import type { Operation } from './operation.ts';

export const setup: Operation = async ({ configuration }) => {
  const options = { host: HOST, logger, dryRun: false, makeKeys: true, allowUnlimitedSlot: false };
  const steps = await setUpHost(configuration, { ...options, onStep: () => undefined });
  const failed = steps.find(({ state }) => state === 'failed');
  if (failed !== undefined) fail('CHECK_FAILED', `${failed.name}: ${failed.message}`);
};
