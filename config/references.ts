// References to secrets (`env:NAME`, `file:/path`): told apart in the configuration, read only at the moment of use, never kept or logged.

import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../src/errors/index.ts';
import type { SecretReference } from './types.ts';

/** Sources of secrets by their prefix, and since when they exist; the documentation lists the same. */
const ENVIRONMENT = /^env:([A-Za-z_][A-Za-z0-9_]*)$/;
const FILE = /^file:(.+)$/s;

/** What the author of a configuration is told instead of seeing the value again. */
export function referenceProblem(text: string): string | undefined {
  if (ENVIRONMENT.test(text) || FILE.test(text)) return undefined;
  if (text.startsWith('env:')) return 'env: followed by the name of a variable (letters, digits, underscore)';
  if (text.startsWith('file:')) return 'file: followed by a path';
  if (text.startsWith('aws-secret:')) return 'env:NAME or file:/path; aws-secret: is not supported by this version';
  return (
    'a reference, env:NAME or file:/path, because a secret does not belong in this file: ' +
    'put it into a variable or a file that only this user can read, and name that here'
  );
}

/** Relative file references are relative to the configuration file's directory. */
export function absoluteReference(reference: string, directory: string): SecretReference {
  const file = FILE.exec(reference)?.[1];
  return (file === undefined ? reference : `file:${path.resolve(directory, file)}`) as SecretReference;
}

/**
 * The secret itself: the variable's value, or the file's text less one newline at its end. Throws `SECRET_UNRESOLVED` when
 * the variable is not set or empty, or the file cannot be read or is empty; the error names the reference, never the value.
 */
export async function resolveSecret(reference: SecretReference): Promise<string> {
  const variable = ENVIRONMENT.exec(reference)?.[1];
  if (variable !== undefined) return resolveVariable(variable);
  const file = FILE.exec(reference)?.[1];
  if (file !== undefined) return resolveFile(file);
  return fail('SECRET_UNRESOLVED', 'a secret is given in a way that is not a reference', {
    hint: 'write env:NAME or file:/path in the configuration',
  });
}

function resolveVariable(variable: string): string {
  const value = process.env[variable];
  if (value) return value;
  return fail('SECRET_UNRESOLVED', `the variable '${variable}' is ${value === undefined ? 'not set' : 'empty'}`, {
    hint: `set ${variable} for the user that runs this process; a worker started as a service has an environment of its own`,
  });
}

async function resolveFile(file: string): Promise<string> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    return fail('SECRET_UNRESOLVED', `the file '${file}' of a secret cannot be read (${code})`, { cause });
  }
  const secret = text.replace(/\r?\n$/, '');
  return secret || fail('SECRET_UNRESOLVED', `the file '${file}' of a secret is empty`);
}

/** A sentence when others than the owner (and root's group) may read or change the file; nothing when it is absent: that is found when it is used. */
export async function openPermissionsWarning(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined);
  if (!found?.isFile() || (found.mode & 0o077) === 0) return undefined;
  const mode = (found.mode & 0o777).toString(8).padStart(4, '0');
  return `'${file}' may be read by others than its owner (mode ${mode}): run 'chmod 600 ${file}'`;
}
