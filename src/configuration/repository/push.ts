// Bringing `main` to the remote: never by force, never with a secret in an argument, and never a reason to lose the commit.

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fail, HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { type ProcessResult, redact } from '../../process/index.ts';
import { KEY_BYTES } from '../marker-key.ts';
import { type Place, replaceFile } from '../place.ts';
import { Redaction } from '../redaction/redaction.ts';
import type { RedactionRule } from '../types.ts';
import { MAIN } from './bundle.ts';
import { Git } from './git.ts';
import { credentialsOf, isHostKeyRefused, type Remote } from './remote.ts';

export interface PushOutcome {
  readonly state: 'pushed' | 'not pushed';
  readonly commit: string;
  /** ISO 8601. */
  readonly at: string;
  /** In words, why not; what the other side said is without what looks like a secret. */
  readonly because?: string;
  /** Commits that the remote lacks, as far as is known: all, while none was ever pushed. */
  readonly behind: number;
}

const PUSHED = 'refs/holdfast/pushed';
/** Why nothing was pushed, for as long as nobody does something about it. */
export const DIVERGED = 'the remote has commits that this history has not';
/** Of what the other side says, which may be anything. */
const LONGEST_WORDS = 4_096;

/** Throws `CANCELLED` alone. The lock must be held. */
export async function push(
  git: Git,
  place: Place,
  remote: Remote,
  { now, redaction }: { readonly now: Date; readonly redaction: Redaction },
): Promise<PushOutcome> {
  const commit = (await git.commitOf(MAIN)) as string;
  const said = await attempt(git, remote);
  const because = said === undefined ? undefined : await shownWords(said, redaction);
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

/** Whether the remote answers and lets us read, in words. Throws `PROCESS_FAILED` or `PROCESS_TIMEOUT` with why not, and `CANCELLED`. */
export async function askRemote(remote: Remote, rules: readonly RedactionRule[], signal: AbortSignal): Promise<string> {
  const secrets: string[] = [];
  const env = await credentialsOf(remote, secrets);
  const args = ['ls-remote', '--quiet', remote.url, `refs/heads/${remote.branch}`];
  const asked = await withoutWords('asking the remote', () =>
    new Git(undefined, signal).try(args, { env, secrets, deadlineMs: remote.timeoutMs }),
  );
  if (asked.exitCode === 0 && !asked.timedOut) {
    return asked.stdout === '' ? `answers, and has no branch '${remote.branch}' yet` : 'answers';
  }
  const redaction = new Redaction({ key: randomBytes(KEY_BYTES), rules, signal });
  try {
    return fail(
      asked.timedOut ? 'PROCESS_TIMEOUT' : 'PROCESS_FAILED',
      await shownWords(wordsOf(asked, remote), redaction),
    );
  } finally {
    await redaction.close();
  }
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

/** Why not, in words that nobody may see yet. */
async function attempt(git: Git, remote: Remote): Promise<string | undefined> {
  const secrets: string[] = [];
  try {
    return await withoutWords('the push', async () => {
      const env = await credentialsOf(remote, secrets);
      const args = ['push', '--quiet', '--no-verify', remote.url, `${MAIN}:refs/heads/${remote.branch}`];
      const result = await git.try(args, { env, secrets, deadlineMs: remote.timeoutMs });
      if (result.exitCode === 0 && !result.timedOut) return await requireThere(git, remote, env, secrets);
      return wordsOf(result, remote);
    });
  } catch (error) {
    if (isHoldfastError(error, 'CANCELLED')) throw error;
    return redact(toHoldfastError(error).message, secrets);
  }
}

/** What is cancelled ends without the words of the other side, which nobody looked at. */
async function withoutWords<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (isHoldfastError(error, 'CANCELLED')) throw new HoldfastError('CANCELLED', `${what} was cancelled`);
    throw error;
  }
}

/** What the remote says that it has, asked anew: an exit status is no proof. */
async function requireThere(
  git: Git,
  remote: Remote,
  env: Readonly<Record<string, string>>,
  secrets: readonly string[],
): Promise<string | undefined> {
  const { url, branch, timeoutMs } = remote;
  const asked = await git.try(['ls-remote', '--quiet', url, `refs/heads/${branch}`], {
    env,
    secrets,
    deadlineMs: timeoutMs,
  });
  if (asked.exitCode !== 0) return `the remote could not be asked what it has: ${wordsOf(asked, remote)}`;
  const has = asked.stdout.split('\t')[0]?.trim() ?? '';
  return has === (await git.commitOf(MAIN)) ? undefined : `the remote says that it has '${has || 'nothing'}'`;
}

function wordsOf({ timedOut, stderrTail, exitCode, signal }: ProcessResult, { timeoutMs }: Remote): string {
  if (timedOut) return `git took longer than ${timeoutMs / 1000} s and was ended`;
  if (isHostKeyRefused(stderrTail)) {
    return `the key of the SSH server there is not one that is known for it, and nothing was sent: ${stderrTail}`;
  }
  // Git's own words, in the language that every program of ours is asked to speak.
  if (/\((?:fetch first|non-fast-forward)\)/.test(stderrTail))
    return `${DIVERGED}, and nothing is forced: ${stderrTail}`;
  return stderrTail || `git ended with ${exitCode ?? signal}`;
}

async function shownWords(said: string, redaction: Redaction): Promise<string> {
  const words = await redaction.words({ text: said, place: 'remote' });
  return words.length > LONGEST_WORDS ? `${words.slice(0, LONGEST_WORDS)} …` : words;
}

async function behind(git: Git): Promise<number> {
  const pushed = await git.commitOf(PUSHED);
  const range = pushed === undefined ? MAIN : `${pushed}..${MAIN}`;
  return Number(await git.ask(['rev-list', '--count', range]));
}
