// A word of a command that people are told to type: as a shell takes it, whatever is in it.

import { bytesOfText, shownTyped } from './path-text.ts';

export function shellWord(word: string): string {
  if (/^[A-Za-z0-9_/.:@=,+-]+$/.test(word)) return word;
  if (shownTyped(word) !== word) return `$'${[...bytesOfText(word)].map((byte) => inDollarQuotes(byte)).join('')}'`;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** What is no text, or a terminal would obey, as its octal digits (POSIX 2024, 2.2.4). */
function inDollarQuotes(byte: number): string {
  const letter = String.fromCharCode(byte);
  return /[ -~]/.test(letter) && !"'\\".includes(letter) ? letter : `\\${byte.toString(8).padStart(3, '0')}`;
}
