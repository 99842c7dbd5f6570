// Git's plumbing on one bare repository, with nobody's hooks, settings, or credentials but those that are given.

import { fail } from '../../errors/index.ts';
import { type ProcessResult, processError, run, tryRun } from '../../process/index.ts';
import { type Output, outputOf } from '../output.ts';

export interface GitOptions {
  readonly env?: Readonly<Record<string, string>>;
  readonly input?: string | Uint8Array;
  readonly secrets?: readonly string[];
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
  readonly cwd?: string;
}

/** A repository of texts is small; what takes longer hangs. */
const DEADLINE_MS = 10 * 60_000;
const LARGEST_BYTES = 256 * 1024 * 1024;

/** No hook runs, nothing is left to a daemon, and what is written is on the disk (versions that do not know a setting pass it over). */
const SETTINGS = [
  'core.hooksPath=/dev/null',
  'core.attributesFile=/dev/null',
  // Versions from 2.43 on take attributes out of `HEAD` where there are no files.
  'attr.tree=4b825dc642cb6eb9a060e54bf8d69288fbee4904',
  'core.excludesFile=/dev/null',
  'core.fsync=all',
  'core.fsyncObjectFiles=true',
  'core.logAllRefUpdates=true',
  'core.quotePath=true',
  'core.protectNTFS=false',
  'commit.gpgSign=false',
  'diff.external=',
  'fetch.fsckObjects=true',
  'gc.auto=0',
  'gc.autoDetach=false',
  'maintenance.auto=false',
  'http.followRedirects=false',
  'protocol.ext.allow=never',
  'push.gpgSign=false',
  'credential.helper=',
].flatMap((setting) => ['-c', setting]);

/** Names Git's author where nobody gives one, too: it asks no file and no host. */
const ENVIRONMENT = {
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_ATTR_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_ASKPASS: 'false',
  GIT_OPTIONAL_LOCKS: '0',
  GIT_LITERAL_PATHSPECS: '1',
  GIT_PAGER: 'cat',
};

export class Git {
  readonly #directory: string | undefined;
  readonly #signal: AbortSignal | undefined;

  /** Without a directory only a remote can be asked. */
  constructor(directory: string | undefined, signal?: AbortSignal) {
    this.#directory = directory;
    this.#signal = signal;
  }

  get directory(): string {
    return this.#directory ?? fail('INTERNAL', 'there is no repository');
  }

  /** What it printed, without the last line feed. Throws as `run` does. */
  async ask(args: readonly string[], options: GitOptions = {}): Promise<string> {
    const { stdout } = await run('git', this.#args(args), { ...this.#options(options), maxStdoutBytes: LARGEST_BYTES });
    return stdout.replace(/\n$/, '');
  }

  /** However it ends, also by time; throws when it was cancelled. */
  async try(args: readonly string[], options: GitOptions = {}): Promise<ProcessResult> {
    const result = await tryRun('git', this.#args(args), this.#options(options));
    if (result.isCanceled) throw processError(result);
    return result;
  }

  /** What it printed byte by byte, up to a limit. */
  async bytes(args: readonly string[], largestBytes = LARGEST_BYTES): Promise<Output> {
    const output = await outputOf('git', this.#args(args), { ...this.#options({}), largestBytes });
    if (!output.isCut && output.result.exitCode !== 0) throw processError(output.result);
    return output;
  }

  /** `undefined` when it is not there. */
  async commitOf(name: string): Promise<string | undefined> {
    const result = await this.try(['rev-parse', '--verify', '--quiet', `${name}^{commit}`]);
    const { exitCode, stdout } = result;
    if (exitCode === 0) return stdout.trim();
    if (exitCode === undefined) throw processError(result);
    return exitCode === 1 ? undefined : fail('OBJECT_DAMAGED', `'${name}' of '${this.directory}' cannot be read`);
  }

  async isAncestor(older: string, newer: string): Promise<boolean> {
    const result = await this.try(['merge-base', '--is-ancestor', older, newer]);
    if (result.exitCode === 0 || result.exitCode === 1) return result.exitCode === 0;
    throw processError(result);
  }

  #args(args: readonly string[]): string[] {
    const where = this.#directory === undefined ? [] : [`--git-dir=${this.#directory}`];
    return [...where, ...SETTINGS, ...args];
  }

  #options({ env, input, secrets, deadlineMs = DEADLINE_MS, signal = this.#signal, cwd = '/' }: GitOptions) {
    return {
      cwd,
      // No `.netrc` of anybody.
      env: { ...ENVIRONMENT, HOME: this.#directory ?? '/nonexistent', ...env },
      deadlineMs,
      ...(input !== undefined && { input }),
      ...(secrets && { secrets }),
      ...(signal && { signal }),
    };
  }
}

export async function initRepository(directory: string, signal?: AbortSignal): Promise<Git> {
  const git = new Git(directory, signal);
  await git.ask(['init', '--quiet', '--bare', '--template=', '--initial-branch=main', directory]);
  return git;
}
