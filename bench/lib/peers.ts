// The programs that set-up found or fetched.

import { type StdioOptions, spawnSync } from 'node:child_process';
import { fail } from '../../src/errors/index.ts';
import { repositoryRoot } from './machine.ts';

export interface Peer {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly version: string;
  readonly source: string;
}

export const peerNames = [
  'restic',
  'pgbackrest',
  'borg',
  'tar',
  'zstd',
  'openssl',
  'strace',
  'perf',
  'python',
] as const;
export type Peers = Readonly<Record<(typeof peerNames)[number], Peer>>;

/** Runs the set-up, which says on stderr what it does and is quick when everything is there. */
export function ensurePeers(): Peers {
  const stdio: StdioOptions = ['ignore', 'pipe', 'inherit'];
  const made = spawnSync(process.execPath, ['bench/set-up.mjs'], { cwd: repositoryRoot, stdio, encoding: 'utf8' });
  if (made.status !== 0) fail('PROGRAM_MISSING', 'the set-up of the peers failed, its reason is above');
  const peers = JSON.parse(made.stdout) as Peers;
  const missing = peerNames.filter((name) => !(name in peers));
  if (missing.length > 0) fail('PROGRAM_MISSING', `the set-up did not find ${missing.join(', ')}`);
  return peers;
}
