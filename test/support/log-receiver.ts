// A process for tests: runs the receiver on a vault in directories, prints its events and, once a second, its state, until it is killed.

import { pino } from 'pino';
import { startReceiver } from '../../src/postgres/receiver/index.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { openVault } from '../../src/vault/index.ts';

interface Setup {
  readonly url: string;
  readonly slot: string;
  readonly keyFile: string;
  readonly stateDirectory: string;
  readonly policy: { readonly copies: number; readonly offsite: number };
  readonly copies: readonly { readonly name: string; readonly path: string; readonly offsite: boolean }[];
}

const setup = JSON.parse(process.env.RECEIVER_SETUP ?? '{}') as Setup;
const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' }, pino.destination(2));
const copies = setup.copies.map(({ name, path, offsite }) => {
  const store = new FileStore(name, path);
  return { description: { name, site: 'home', medium: 'disk', offsite, location: store.location }, store };
});
const keys = [{ name: 'host', kind: 'file', path: setup.keyFile }] as const;
const vault = await openVault({ estate: 'acme', copies, policy: setup.policy, keys, logger, host: 'db1' });
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
