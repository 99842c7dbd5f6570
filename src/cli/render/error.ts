// An error as people read it: what, its code, and what to try.

import type { ErrorData } from '../../errors/index.ts';

export function renderError(error: ErrorData): string {
  const [first = '', ...more] = error.message.split('\n');
  const lines = [`error: ${first} (${error.code})`, ...more.map((line) => `    ${line}`), `hint: ${error.hint}`];
  const log = error.details?.log;
  if (typeof log === 'string') lines.push(`log: ${log}`);
  return `${lines.join('\n')}\n`;
}
