// A small configuration for tests, changed in one place or other, and what its loader says of it.

import assert from 'node:assert/strict';
import { parseConfiguration } from '../../config/index.ts';
import { type HoldfastError, isHoldfastError } from '../../src/errors/index.ts';

export const minimal = `name: acme
sites: { home: {} }
hosts: { db1: { site: home } }
vault:
  keys: [{ name: host, file: vault.key }]
  copies: { local: { file: copies/local, site: home } }
  commit: { copies: 1 }
database:
  main: { host: db1, url: "env:DATABASE_URL" }
`;

export const FILE = '/etc/holdfast/holdfast.yaml';

/** The minimal file with one text replaced by another. */
export function changed(from: string, to: string): string {
  assert.ok(minimal.includes(from), from);
  return minimal.replace(from, to);
}

/** How the configuration is refused. */
export function errorOf(text: string): HoldfastError {
  try {
    parseConfiguration(text, FILE);
  } catch (error) {
    if (isHoldfastError(error, 'CONFIG_INVALID')) return error;
    throw error;
  }
  return assert.fail('the configuration was accepted');
}

/** Each problem with its place, without the name of the file. */
export function problemsOf(text: string): string[] {
  const { message } = errorOf(text);
  return message
    .split('\n')
    .filter((line) => line.startsWith(FILE))
    .map((line) => line.slice(FILE.length + 1));
}
