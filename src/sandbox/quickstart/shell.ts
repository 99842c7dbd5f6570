// The quickstart's own terminal: it types the commands a person would type, shows their output, and reads their JSON.

import path from 'node:path';
import { fail } from '../../errors/index.ts';
import { start, tryRun } from '../../process/index.ts';

const launcher = path.resolve(import.meta.dirname, '../../../bin/holdfast');

export class Shell {
  readonly #configuration: string;
  readonly #signal: AbortSignal;

  constructor(configuration: string, signal: AbortSignal) {
    this.#configuration = configuration;
    this.#signal = signal;
  }

  /** The command in its short form, for those who have it on their PATH. */
  line(...args: string[]): string {
    return `holdfast ${args.map(quoted).join(' ')}`;
  }

  /** Shows the command and everything it prints. Throws `PROCESS_FAILED` unless it exits with one of `expected`. */
  async type(args: readonly string[], expected: readonly number[] = [0]): Promise<number> {
    say(`\n$ ${this.line(...args)}`);
    const child = await start(launcher, args, {
      env: { HOLDFAST_CONFIG: this.#configuration },
      signal: this.#signal,
      terminal: true,
    });
    const { exitCode } = await child.finished;
    this.#signal.throwIfAborted();
    if (exitCode === undefined || !expected.includes(exitCode)) {
      fail('PROCESS_FAILED', `'${this.line(...args)}' ended with exit status ${exitCode}`, {
        hint: 'its own message is above',
      });
    }
    return exitCode;
  }

  /** The JSON a command gives, whatever its exit status; nothing is shown. */
  async ask(...args: string[]): Promise<Record<string, unknown>> {
    const result = await tryRun(launcher, [...args, '--json'], {
      env: { HOLDFAST_CONFIG: this.#configuration },
      signal: this.#signal,
      deadlineMs: 120_000,
    });
    try {
      return JSON.parse(result.stdout) as Record<string, unknown>;
    } catch (cause) {
      return fail('PROCESS_FAILED', `'${this.line(...args)} --json' gave no JSON: ${result.stderrTail.slice(-500)}`, {
        cause,
      });
    }
  }
}

/** The command as it works when typed, from any directory and without anything on the PATH. */
export function typable(...args: string[]): string {
  return [launcher, ...args].map(quoted).join(' ');
}

/** As a shell reads it back. */
export function quoted(arg: string): string {
  return /^[\w@%+=:,./-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`;
}

export function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** A heading with the time since the story began. */
export function chapter(sinceMs: number, text: string): void {
  const seconds = Math.round((Date.now() - sinceMs) / 1000);
  say(`\n━━ ${String(Math.floor(seconds / 60)).padStart(2, '0')}:${String(seconds % 60).padStart(2, '0')} ━━ ${text}`);
}
