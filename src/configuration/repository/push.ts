// Bringing `main` to the remote: never by force, never with a secret in an argument, and never a reason to lose the commit.

import { readFile } from 'node:fs/promises';
import { isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { processError, redact } from '../../process/index.ts';
import { type Place, replaceFile } from '../place.ts';
import { MAIN } from './bundle.ts';
import { Git } from './git.ts';

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

export interface PushOutcome {
  readonly state: 'pushed' | 'not pushed';
  readonly commit: string;
  /** ISO 8601. */
  readonly at: string;
  /** In words, why not. */
  readonly because?: string;
  /** Commits that the remote lacks, as far as is known: all, while none was ever pushed. */
  readonly behind: number;
}

const PUSHED = 'refs/holdfast/pushed';

/** Throws `CANCELLED` alone. The lock must be held. */
export async function push(git: Git, place: Place, remote: Remote, now: Date): Promise<PushOutcome> {
  const commit = (await git.commitOf(MAIN)) as string;
  const because = await attempt(git, remote);
  if (because === undefined) await git.ask(['update-ref', PUSHED, commit]);
  const outcome: PushOutcome = {
    state: because === undefined ? 'pushed' : 'not pushed',
    commit,
    at: now.toISOString(),
    ...(because !== undefined && { because }),
    behind: because === undefined ? 0 : await behind(git),
  };
  await replaceFile(place.push, `${JSON.stringify(outcome)}\n`);
  return outcome;
}

/** Whether the remote answers and lets us read, in words. Throws why not. */
export async function askRemote(remote: Remote, signal: AbortSignal): Promise<string> {
  const secrets: string[] = [];
  const env = await credentialsOf(remote, secrets);
  const git = new Git(undefined, signal);
  const asked = await git.try(['ls-remote', '--quiet', remote.url, `refs/heads/${remote.branch}`], {
    env,
    secrets,
    deadlineMs: remote.timeoutMs,
  });
  if (asked.exitCode !== 0 || asked.timedOut) throw processError(asked);
  return asked.stdout === '' ? `answers, and has no branch '${remote.branch}' yet` : 'answers';
}

/** How the last push ended; undefined when none was made. */
export async function lastPush({ push: file }: Place): Promise<PushOutcome | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as PushOutcome;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

async function attempt(git: Git, remote: Remote): Promise<string | undefined> {
  const secrets: string[] = [];
  try {
    const env = await credentialsOf(remote, secrets);
    const args = ['push', '--quiet', '--no-verify', remote.url, `${MAIN}:refs/heads/${remote.branch}`];
    const result = await git.try(args, { env, secrets, deadlineMs: remote.timeoutMs });
    if (result.timedOut) return `git took longer than ${remote.timeoutMs / 1000} s and was ended`;
    if (result.exitCode === 0) return await requireThere(git, remote, env, secrets);
    return result.stderrTail || `git push ended with ${result.exitCode ?? result.signal}`;
  } catch (error) {
    if (isHoldfastError(error, 'CANCELLED')) throw error;
    return redact(toHoldfastError(error).message, secrets);
  }
}

/** What the remote says that it has, asked anew: an exit status is no proof. */
async function requireThere(
  git: Git,
  { url, branch, timeoutMs }: Remote,
  env: Readonly<Record<string, string>>,
  secrets: readonly string[],
): Promise<string | undefined> {
  const asked = await git.try(['ls-remote', '--quiet', url, `refs/heads/${branch}`], {
    env,
    secrets,
    deadlineMs: timeoutMs,
  });
  if (asked.exitCode !== 0) return `the remote could not be asked what it has: ${asked.stderrTail}`;
  const has = asked.stdout.split('\t')[0]?.trim() ?? '';
  return has === (await git.commitOf(MAIN)) ? undefined : `the remote says that it has '${has || 'nothing'}'`;
}

/** The environment of a process is its own user's to read, its arguments are everybody's. */
async function credentialsOf(remote: Remote, secrets: string[]): Promise<Record<string, string>> {
  const password = await remote.password?.();
  if (password !== undefined) {
    const pair = Buffer.from(`${remote.user ?? 'git'}:${password}`).toString('base64');
    secrets.push(password, pair);
    return {
      GIT_CONFIG_COUNT: '1',
      GIT_CONFIG_KEY_0: `http.${remote.url}.extraHeader`,
      GIT_CONFIG_VALUE_0: `Authorization: Basic ${pair}`,
    };
  }
  const ssh = ['ssh', '-o', 'BatchMode=yes', '-o', 'StrictHostKeyChecking=yes', '-o', 'ClearAllForwardings=yes'];
  if (remote.sshKey !== undefined) ssh.push('-o', 'IdentitiesOnly=yes', '-i', quoted(remote.sshKey));
  if (remote.knownHosts !== undefined) ssh.push('-o', quoted(`UserKnownHostsFile=${remote.knownHosts}`));
  return { GIT_SSH_COMMAND: ssh.join(' ') };
}

/** Git hands the command to a shell. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

async function behind(git: Git): Promise<number> {
  const pushed = await git.commitOf(PUSHED);
  const range = pushed === undefined ? MAIN : `${pushed}..${MAIN}`;
  return Number(await git.ask(['rev-list', '--count', range]));
}
