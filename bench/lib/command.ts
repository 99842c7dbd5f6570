// A command that can be measured, and how a report shows it.

import type { SystemUser } from '../../src/process/index.ts';

export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A pipeline that fails when any part of it does. */
export function shell(script: string): string[] {
  return ['bash', '-e', '-o', 'pipefail', '-c', script];
}

/** The same words as another user; `undefined`: as ourselves. The process becomes that user's, so that its id stays. */
export function as(user: SystemUser | undefined, argv: readonly string[]): string[] {
  if (user === undefined) return [...argv];
  return ['setpriv', `--reuid=${user.uid}`, `--regid=${user.gid}`, '--init-groups', '--', ...argv];
}

/** For the words of a shell script. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

/** As a person of that user would type it, with a name for each path that is this machine's own. */
export function shown(command: Command, names: Readonly<Record<string, string>>): string {
  const argv = command.argv[0] === 'setpriv' ? command.argv.slice(command.argv.indexOf('--') + 1) : command.argv;
  const env = Object.entries(command.env).map(([key, value]) => `${key}=${quoted([value])}`);
  let text = argv[0] === 'bash' ? (argv.at(-1) as string) : quoted(argv);
  text = [...env, text].join(' ');
  // The longest first: a directory may lie in another.
  const paths = Object.entries(names).sort(([, a], [, b]) => b.length - a.length);
  for (const [name, path] of paths) text = text.replaceAll(path, name);
  return text;
}
