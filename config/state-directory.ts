// Where a worker keeps what only it needs between runs: the log's spool and its own log file.

import os from 'node:os';
import path from 'node:path';
import { fail } from '../src/errors/index.ts';
import type { Configuration } from './types.ts';

/** The host's `stateDirectory`, else `/var/lib/holdfast/<estate>` for root and the user's own state directory for others. Throws `CONFIG_INVALID` for an unknown host. */
export function stateDirectoryOf(configuration: Configuration, hostName: string): string {
  const host = configuration.hosts[hostName] ?? fail('CONFIG_INVALID', `no host '${hostName}' is configured`);
  if (host.stateDirectory !== undefined) return host.stateDirectory;
  if (process.getuid?.() === 0) return path.join('/var/lib/holdfast', configuration.name);
  const base = process.env.XDG_STATE_HOME || path.join(os.homedir(), '.local', 'state');
  return path.join(base, 'holdfast', configuration.name);
}
