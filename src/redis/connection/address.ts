// Where a Redis server answers and as whom we come: read from a URL, which is a secret as a whole.

import { fail } from '../../errors/index.ts';

export interface RedisAddress {
  /** For people: without user and password. */
  readonly text: string;
  readonly place: { readonly path: string } | { readonly host: string; readonly port: number; readonly tls: boolean };
  readonly username?: string;
  readonly password?: string;
}

const DEFAULT_PORT = 6379;
const expected = 'redis://USER:PASSWORD@HOST:PORT, rediss://… for TLS, or unix:///PATH?username=USER&password=PASSWORD';

/** Throws `CONFIG_INVALID`, and never repeats what it was given. */
export function parseAddress(url: string): RedisAddress {
  const parsed = URL.canParse(url) ? new URL(url) : notAnAddress();
  if (parsed.protocol === 'unix:') return socketAddress(parsed);
  if (parsed.protocol !== 'redis:' && parsed.protocol !== 'rediss:') notAnAddress();
  const host = parsed.hostname.replace(/^\[|\]$/g, '');
  if (host === '' || (parsed.pathname !== '' && parsed.pathname !== '/')) notAnAddress();
  const port = parsed.port === '' ? DEFAULT_PORT : Number(parsed.port);
  return {
    text: `${parsed.protocol}//${parsed.hostname}:${port}`,
    place: { host, port, tls: parsed.protocol === 'rediss:' },
    ...login(decodeURIComponent(parsed.username), decodeURIComponent(parsed.password)),
  };
}

function socketAddress(parsed: URL): RedisAddress {
  const path = decodeURIComponent(parsed.pathname);
  if (parsed.host !== '' || path.length < 2) notAnAddress();
  const { username = '', password = '' } = Object.fromEntries(parsed.searchParams);
  return { text: `unix://${path}`, place: { path }, ...login(username, password) };
}

function login(username: string, password: string): { username?: string; password?: string } {
  return { ...(username !== '' && { username }), ...(password !== '' && { password }) };
}

function notAnAddress(): never {
  return fail('CONFIG_INVALID', `the address of a Redis server is none: expected ${expected}`);
}
