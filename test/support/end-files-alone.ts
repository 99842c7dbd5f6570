// A process for tests: confirms a restore of files, or rolls it back, at the instant that it is told, with the journals in its roots and no store. Argument: JSON.

import { existsSync } from 'node:fs';
import { pino } from 'pino';
import { parseConfiguration } from '../../config/index.ts';
import type { ComponentId } from '../../src/domain/component.ts';
import { fail, toHoldfastError } from '../../src/errors/index.ts';
import { confirmFiles, rollbackFiles } from '../../src/host/end-files.ts';
import { FILE } from './configuration.ts';

export interface EndingFiles {
  readonly end: 'confirm' | 'rollback';
  readonly component: ComponentId;
  readonly run: string;
  /** Text of the configuration. */
  readonly configuration: string;
  /** It begins once this file is there. */
  readonly go: string;
}

const { end, component, run, configuration, go } = JSON.parse(process.argv[2] ?? '{}') as EndingFiles;
// No lease keeps the one from the other either.
const none = () => Promise.resolve().then(() => fail('POLICY_UNMET', 'no copy answers'));
const services = {
  configuration: parseConfiguration(configuration, FILE),
  ...{ host: 'db1', logger: pino({ level: 'silent' }), vault: none, reading: none },
};
process.stdout.write('ready\n');
const waiting = new Int32Array(new SharedArrayBuffer(4));
while (!existsSync(go)) Atomics.wait(waiting, 0, 0, 1);
try {
  await (end === 'confirm' ? confirmFiles : rollbackFiles)(services, component, run);
  process.stdout.write('done\n');
} catch (error) {
  process.stdout.write(`${toHoldfastError(error).code}\n`);
}
