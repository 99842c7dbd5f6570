// The repository that `main` is pushed to: where it is, and how Git gets in without a secret that anybody sees and without a host that nobody knows.

import { tryRun } from '../../process/index.ts';

export interface Remote {
  /** `https://`, `ssh://`, `user@host:path` or an absolute path; without a password. */
  readonly url: string;
  readonly branch: string;
  readonly timeoutMs: number;
  /** For `https://`: resolved only for the push. */
  readonly user?: string;
  readonly password?: () => Promise<string>;
  /** For `ssh`: absolute paths. */
  readonly sshKey?: string;
  readonly knownHosts?: string;
}

const CONNECT_SECONDS = 20;
const VERSION_LIMIT_MS = 10_000;
/** `KnownHostsCommand` came with OpenSSH 8.5. */
const HOSTS_COMMAND_SINCE = 805;

/** The environment of a process is its own user's to read, its arguments are everybody's. What of it is secret is added to `secrets`. */
export async function credentialsOf(remote: Remote, secrets: string[]): Promise<Record<string, string>> {
  const password = await remote.password?.();
  if (password !== undefined) {
    const pair = Buffer.from(`${remote.user ?? 'git'}:${password}`).toString('base64');
    secrets.push(password, encodeURIComponent(password), pair);
    return {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `http.${remote.url}.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${pair}`,
    };
  }
  const hasHostsCommand = remote.knownHosts !== undefined && (await knowsHostsCommand());
  const words = sshWords(remote, hasHostsCommand);
  return { GIT_SSH_COMMAND: words.map(quoted).join(' '), GIT_SSH_VARIANT: 'ssh' };
}

/** An option that `ssh` does not know ends it. No program, or another one, says that later itself. */
async function knowsHostsCommand(): Promise<boolean> {
  try {
    const { stderrTail } = await tryRun('ssh', ['-V'], { deadlineMs: VERSION_LIMIT_MS });
    const [, major = '0', minor = '0'] = /OpenSSH_(?:for_Windows_)?(\d+)\.(\d+)/.exec(stderrTail) ?? [];
    return Number(major) * 100 + Number(minor) >= HOSTS_COMMAND_SINCE;
  } catch {
    return false;
  }
}

function sshWords({ sshKey, knownHosts }: Remote, hasHostsCommand: boolean): string[] {
  const options = [
    'BatchMode=yes',
    // Who answers there must be who was named: nobody is asked, and nothing is learned on the way.
    'StrictHostKeyChecking=yes',
    'UpdateHostKeys=no',
    // A key that the network vouches for is one that nobody named, and so is a connection that somebody has open already; one of ours must end.
    'VerifyHostKeyDNS=no',
    'ControlMaster=no',
    'ControlPath=none',
    'ClearAllForwardings=yes',
    'ForwardAgent=no',
    `ConnectTimeout=${CONNECT_SECONDS}`,
    ...(sshKey === undefined ? [] : ['IdentitiesOnly=yes']),
    // With a list of its own, that of the system vouches for nobody.
    ...(knownHosts === undefined ? [] : [`UserKnownHostsFile=${fileName(knownHosts)}`, 'GlobalKnownHostsFile=none']),
    ...(hasHostsCommand ? ['KnownHostsCommand=none'] : []),
  ];
  const key = sshKey === undefined ? [] : ['-i', withoutTokens(sshKey)];
  return ['ssh', ...options.flatMap((option) => ['-o', option]), ...key];
}

/** A blank would make two files of one (ssh_config(5)). */
function fileName(file: string): string {
  return `"${withoutTokens(file)}"`;
}

/** What a percent sign stands for there. */
function withoutTokens(file: string): string {
  return file.replaceAll('%', '%%');
}

/** Git hands the command to a shell. */
function quoted(text: string): string {
  return /^[\w.=/-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** As ssh says it, in the language that every program of ours is asked to speak. */
export function isHostKeyRefused(said: string): boolean {
  return /Host key verification failed|REMOTE HOST IDENTIFICATION HAS CHANGED/.test(said);
}
