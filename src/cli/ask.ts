// Questions to the person at the terminal; never answered by silence.

import { createInterface } from 'node:readline/promises';
import { fail } from '../errors/index.ts';
import type { Context } from './context.ts';

/**
 * Asks to type one of `accepted`. `--yes` answers it. Throws `NOT_CONFIRMED` for any other answer, for the end of input, and where there is no
 * terminal to ask at.
 */
export async function confirmByTyping(context: Context, question: string, accepted: readonly string[]): Promise<void> {
  if (context.options.yes) return;
  const answer = await ask(context, question);
  if (!accepted.includes(answer.trim())) {
    fail(
      'NOT_CONFIRMED',
      answer === '' ? 'no answer was given' : `'${answer.trim()}' is not the answer that was asked for`,
    );
  }
}

/** The line that was typed; throws `NOT_CONFIRMED` where nobody can type. */
export async function ask(context: Context, question: string): Promise<string> {
  const { io } = context;
  if (!io.stdinIsTerminal) {
    fail('NOT_CONFIRMED', 'a person would be asked here, and there is no terminal to ask at');
  }
  const lines = createInterface({ input: io.stdin, output: io.stderr, terminal: false });
  const ended = new Promise<string>((resolve) => lines.once('close', () => resolve('')));
  io.stderr.write(question);
  try {
    return await Promise.race([lines.question(''), ended]);
  } finally {
    lines.close();
  }
}
