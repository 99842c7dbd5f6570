// A process for tests: runs the receiver on a vault in directories, prints its events and, once a second, its state, until it is killed.

import { pino } from 'pino';
import { startReceiver } from '../../src/postgres/receiver/index.ts';
import { type FileVaultOptions, openFileVault } from './open-vault.ts';

interface Setup extends Required<Pick<FileVaultOptions, 'keyFile' | 'copies' | 'policy'>> {
  readonly url: string;
  readonly slot: string;
  readonly stateDirectory: string;
}

const setup = JSON.parse(process.env.RECEIVER_SETUP ?? '{}') as Setup;
const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' }, pino.destination(2));
const { keyFile, copies, policy } = setup;
const vault = await openFileVault({ keyFile, copies, policy, logger });
const receiver = startReceiver({
  source: { component: 'database/main', url: setup.url },
  component: 'database/main',
  slot: setup.slot,
  vault,
  policy: vault.policy,
  copies: vault.copies,
  stateDirectory: setup.stateDirectory,
  logger,
  onEvent: (event) => process.stdout.write(`${JSON.stringify(event)}\n`),
});
setInterval(() => process.stdout.write(`${JSON.stringify({ type: 'state', ...receiver.state() })}\n`), 1_000);
