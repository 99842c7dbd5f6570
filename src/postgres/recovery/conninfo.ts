// How a standby reaches its primary: a connection string without a secret, and the password file that libpq reads beside it.

import { fail } from '../../errors/index.ts';

/** Of a url's parameters those that a walreceiver needs too (PostgreSQL manual, "Parameter Key Words"). */
const passedOn = new Set([
  'channel_binding',
  'connect_timeout',
  'gssencmode',
  'host',
  'krbsrvname',
  'port',
  'sslcert',
  'sslcrl',
  'sslkey',
  'sslmode',
  'sslrootcert',
]);

export interface PrimaryConnection {
  readonly conninfo: string;
  /** Content of the password file; absent where the url has no password. */
  readonly passwords?: string;
}

/** Throws `TARGET_UNFIT` for a password that a password file cannot hold. */
export function primaryConnection(url: string, passfile: string, applicationName: string): PrimaryConnection {
  const { hostname, port, username, password, searchParams } = new URL(url);
  const words: Record<string, string> = {};
  if (hostname !== '') words.host = decodeURIComponent(hostname.replace(/^\[(.*)\]$/, '$1'));
  if (port !== '') words.port = port;
  if (username !== '') words.user = decodeURIComponent(username);
  for (const [name, value] of searchParams) {
    // The last one is of this client only: libpq has no word for it and encrypts without asking who it is.
    if (passedOn.has(name)) words[name] = name === 'sslmode' && value === 'no-verify' ? 'require' : value;
  }
  words.application_name = applicationName;
  const secret = decodeURIComponent(password);
  if (secret !== '') words.passfile = passfile;
  const conninfo = Object.entries(words)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join(' ');
  return secret === '' ? { conninfo } : { conninfo, passwords: passwordLine(secret) };
}

const quoted = (value: string) => `'${value.replace(/['\\]/g, '\\$&')}'`;

function passwordLine(secret: string): string {
  if (/[\n\r]/.test(secret))
    fail('TARGET_UNFIT', 'the password of the url has a line break, which a password file cannot hold');
  return `*:*:*:*:${secret.replace(/[:\\]/g, '\\$&')}\n`;
}
