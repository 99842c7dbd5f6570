// What became of a command, as it may be told: without what looks like a secret.

import type { RanCommand } from './commands.ts';
import type { Redaction } from './redaction/redaction.ts';
import type { CommandOutcome } from './types.ts';

export async function outcomesOf(ran: readonly RanCommand[], redaction: Redaction): Promise<readonly CommandOutcome[]> {
  const outcomes: CommandOutcome[] = [];
  for (const each of ran) outcomes.push(await outcomeOf(each, redaction));
  return outcomes;
}

async function outcomeOf(
  { spec, output, exitCode, because, stderrTail, durationMs }: RanCommand,
  redaction: Redaction,
): Promise<CommandOutcome> {
  const place = `commands/${spec.name}`;
  const words = (text: string) => redaction.words({ text, place });
  return {
    name: spec.name,
    argv: await wordsOfArguments(spec.argv, place, redaction),
    state: because === undefined ? 'succeeded' : 'failed',
    ...(exitCode !== undefined && { exitCode }),
    ...(because !== undefined && { because: await words(because) }),
    ...(because !== undefined && stderrTail !== '' && { lastWords: await words(stderrTail) }),
    sizeBytes: output.length,
    ...(output.length === 0 && because === undefined && { isEmpty: true as const }),
    durationMs,
  };
}

/** A secret may be two arguments, `--password` and the next, or one: they are looked at as one line, and each by itself. */
async function wordsOfArguments(
  argv: readonly string[],
  place: string,
  redaction: Redaction,
): Promise<readonly string[]> {
  const line = argv.map(inQuotes).join(' ');
  const redacted = await redaction.words({ text: line, place, splitAt: ' ' });
  return redacted === line ? [...argv] : [redacted];
}

/** One of several words: without quotes, nobody knew where a password in it ends. */
function inQuotes(argument: string): string {
  if (!/[\s"']/.test(argument)) return argument;
  const quote = ["'", '"'].find((each) => !argument.includes(each));
  return quote === undefined ? JSON.stringify(argument) : `${quote}${argument}${quote}`;
}
