// A host that is reached over SSH without anybody at the keyboard: one key, one list of known hosts, nothing of the user's own settings.

import { stat } from 'node:fs/promises';
import { fail } from '../../errors/index.ts';
import { run, tryRun } from '../../process/index.ts';

export interface RemoteHost {
  /** `user@host`. */
  readonly ssh: string;
  readonly port?: number;
  /** Absolute paths: a private key without a passphrase, and the list that must name the host's key. */
  readonly keyFile: string;
  readonly knownHosts: string;
  /** What is run there as rsync: default `rsync`; `sudo rsync` where the user alone may not read everything. */
  readonly rsync?: string;
  /** Silence after which the other side counts as gone. */
  readonly silenceSeconds: number;
}

const CONNECT_SECONDS = 20;

/** How rsync gets there, as it takes it with `--rsh`: words, quoted where they need it (rsync(1)). */
export function remoteOptions({ rsync, silenceSeconds, ...remote }: RemoteHost): string[] {
  const shell = sshWords({ ...remote, silenceSeconds }).map((word) => quoted(word));
  return [
    `--rsh=${shell.join(' ')}`,
    `--timeout=${silenceSeconds}`,
    ...(rsync === undefined ? [] : [`--rsync-path=${rsync}`]),
  ];
}

export function sshWords({ port = 22, keyFile, knownHosts, silenceSeconds }: RemoteHost): string[] {
  const options = [
    'BatchMode=yes',
    'IdentitiesOnly=yes',
    // Who answers there must be who was named: nobody is asked, and nothing is learned on the way.
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${knownHosts}`,
    'GlobalKnownHostsFile=none',
    `ConnectTimeout=${CONNECT_SECONDS}`,
    `ServerAliveInterval=${Math.max(1, Math.ceil(silenceSeconds / 4))}`,
    'ServerAliveCountMax=4',
  ];
  return ['ssh', '-F', 'none', '-i', keyFile, '-p', String(port), ...options.flatMap((option) => ['-o', option])];
}

/** A word with a blank or a quote stands in quotes, in which a quote is doubled. */
function quoted(word: string): string {
  return /[\s'"]/.test(word) ? `'${word.replaceAll("'", "''")}'` : word;
}

/** Throws `PROGRAM_MISSING`, `TOOL_VERSION`: older ones of rsync let the shell of the other side read names. */
export async function requireRsync(): Promise<string> {
  const { stdout } = await run('rsync', ['--version']);
  const version = /version v?(\d+)\.(\d+)\.(\d+)/.exec(stdout);
  const [major = 0, minor = 0, patch = 0] = (version?.slice(1) ?? []).map(Number);
  const isNew = major > 3 || (major === 3 && (minor > 2 || (minor === 2 && patch >= 4)));
  if (isNew) return `${major}.${minor}.${patch}`;
  return fail('TOOL_VERSION', `rsync ${major}.${minor}.${patch} is older than 3.2.4`, {
    hint: 'install rsync 3.2.4 or newer on this host; the other side may have an older one',
  });
}

/** Throws `TARGET_UNFIT` for a key that ssh would not use, and for a host that the list does not name. */
export async function requireAccess({ ssh, port = 22, keyFile, knownHosts }: RemoteHost): Promise<void> {
  const key = await stat(keyFile).catch((cause: NodeJS.ErrnoException) =>
    fail('TARGET_UNFIT', `the key '${keyFile}' cannot be looked at: ${cause.code ?? cause.message}`, { cause }),
  );
  if ((key.mode & 0o077) !== 0) {
    fail('TARGET_UNFIT', `others may read the key '${keyFile}': ssh does not use it`, { hint: `chmod 600 ${keyFile}` });
  }
  const host = ssh.slice(ssh.lastIndexOf('@') + 1).replace(/^\[(.*)\]$/, '$1');
  const name = port === 22 ? host : `[${host}]:${port}`;
  const { exitCode } = await tryRun('ssh-keygen', ['-F', name, '-f', knownHosts]);
  if (exitCode === 0) return;
  fail('TARGET_UNFIT', `'${knownHosts}' does not name '${name}'`, {
    hint: `\`ssh-keyscan -p ${port} ${host}\` shows what answers there now; compare it with the host's own /etc/ssh/*.pub before it goes into that file`,
  });
}
