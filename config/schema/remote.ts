// A host that is reached over SSH: who is asked there, by which key, and how it is known that it is the right one.

import { count, duration, filePath, parsed, text } from './values.ts';

const ADDRESS = /^[A-Za-z0-9_][A-Za-z0-9_.-]*@(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:.]+\])$/;
const portExpected = 'a port from 1 to 65535';

export const remoteAddress = () =>
  parsed('a user and a host, such as backup@app1.example.org', (value) => {
    if (!ADDRESS.test(value)) throw new TypeError('not user@host');
  });

export const remotePort = () =>
  count(portExpected, 1)
    .max(65_535, { error: portExpected })
    .optional()
    .describe('Port of the SSH server there.')
    .meta({ defaultText: '22' });

export const remoteKey = () =>
  filePath().describe(
    'Private key without a passphrase, readable by the worker alone. Of the user’s own SSH settings nothing is used.',
  );

export const remoteKnownHosts = () =>
  filePath().describe(
    'File in the form of `known_hosts` that names the host’s key; one that it does not name is refused.',
  );

export const remoteRsync = () =>
  text('a command')
    .optional()
    .describe('What is run there as rsync: `sudo rsync` where the user alone has too few rights.')
    .meta({ defaultText: '`rsync`' });

export const remoteTimeout = () =>
  duration().default('2min').describe('Silence after which the other side counts as gone.');
