// What is wrong with a configuration file, each place with line, column, the value and what was expected.

import { closest } from '../src/domain/closest.ts';

export interface Problem {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** Keys that lead to the place: `vault.copies.eu.site`. */
  readonly path: string;
  /** As written, shortened; absent when nothing was written, or when it may hold a secret. */
  readonly value?: string;
  /** The end of a sentence that begins with "expected", or a whole sentence. */
  readonly message: string;
  readonly text: string;
}

/** Keys whose values are never repeated, whatever is wrong with them: a secret may stand there by mistake. */
const SECRET_KEYS = /^(url|passphrase|accessKeyId|secretAccessKey|.*(password|secret|token).*)$/i;

const LONGEST_VALUE = 60;

/** The value for an error message, or nothing when it could be a secret or is too big to help. */
export function showValue(path: readonly PropertyKey[], value: unknown): string | undefined {
  if (path.some((key) => SECRET_KEYS.test(String(key)))) return undefined;
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (typeof value !== 'string') return String(value);
  if (/:\/\/[^/\s]*:[^/\s]*@/.test(value)) return undefined;
  return `'${value.length > LONGEST_VALUE ? `${value.slice(0, LONGEST_VALUE)}…` : value}'`;
}

/** The way to a place as people write it: `database.main.checks[0].sql`. */
export function writePath(path: readonly PropertyKey[]): string {
  return path
    .map((key, index) => (typeof key === 'number' ? `[${key}]` : `${index > 0 ? '.' : ''}${String(key)}`))
    .join('');
}

export function unknownKeyMessage(key: string, known: readonly string[]): string {
  const suggestion = closest(key, known);
  if (suggestion !== undefined) return `unknown key '${key}', did you mean '${suggestion}'?`;
  if (known.length === 0) return `unknown key '${key}', expected an empty mapping {}`;
  return `unknown key '${key}', expected ${known.map((name) => `'${name}'`).join(', ')}`;
}
