// What became of a command, as it may be told: without what looks like a secret.

import type { RanCommand } from './commands.ts';
import type { Redactor } from './redaction/redactor.ts';
import type { CommandOutcome } from './types.ts';

export function outcomeOf(
  { spec, output, exitCode, because, stderrTail, durationMs }: RanCommand,
  redactor: Redactor,
): CommandOutcome {
  const place = `commands/${spec.name}`;
  const words = (text: string) => redactor.words(text, place);
  return {
    name: spec.name,
    argv: wordsOfArguments(spec.argv, words),
    state: because === undefined ? 'succeeded' : 'failed',
    ...(exitCode !== undefined && { exitCode }),
    ...(because !== undefined && { because: words(because) }),
    ...(because !== undefined && stderrTail !== '' && { lastWords: words(stderrTail) }),
    sizeBytes: output.length,
    ...(output.length === 0 && because === undefined && { isEmpty: true as const }),
    durationMs,
  };
}

/** A secret may be two arguments, `--password` and the next: they are looked at as one line. */
function wordsOfArguments(argv: readonly string[], words: (text: string) => string): readonly string[] {
  const line = argv.join(' ');
  const redacted = words(line);
  return redacted === line ? [...argv] : [redacted];
}
