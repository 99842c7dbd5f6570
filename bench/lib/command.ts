// A command that can be measured, and how a report shows it.

export interface Command {
  readonly argv: readonly string[];
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** A pipeline that fails when any part of it does. */
export function shell(script: string): string[] {
  return ['bash', '-e', '-o', 'pipefail', '-c', script];
}

/** For the words of a shell script. */
export function quoted(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./$-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
}

/** As a person would type it, with a name for each path that is this machine's own. */
export function shown(command: Command, names: Readonly<Record<string, string>>): string {
  const isShell = command.argv[0] === 'bash';
  const env = Object.entries(command.env).map(([key, value]) => `${key}=${quoted([value])}`);
  let text = isShell ? (command.argv.at(-1) as string) : quoted(command.argv);
  text = [...env, text].join(' ');
  // The longest first: a directory may lie in another.
  const paths = Object.entries(names).sort(([, a], [, b]) => b.length - a.length);
  for (const [name, path] of paths) text = text.replaceAll(path, name);
  return text;
}
