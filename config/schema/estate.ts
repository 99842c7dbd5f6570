// Where things are and who is asked: the Temporal server, sites and hosts.

import { count, filePath, mapping, text, url } from './values.ts';

export const temporal = mapping({
  profile: text('the name of a profile')
    .default('default')
    .describe(
      'Profile of the `temporal` command (its configuration file and `TEMPORAL_…` variables): address, TLS, API key.',
    ),
  address: text('host and port, such as 127.0.0.1:7233')
    .optional()
    .describe('Address of the server, instead of the profile’s.'),
  namespace: text('the name of a namespace').optional().describe('Namespace, instead of the profile’s.'),
  ui: url('the address of a web page, such as http://127.0.0.1:8233')
    .optional()
    .describe('Base address of the Temporal web UI; commands print links to runs when it is given.'),
});

const threadsExpected = 'a number of threads from 1 to 64';

export const site = mapping({
  account: text('the name of an account')
    .optional()
    .describe(
      'Account of a provider that everything at the site belongs to, as a word of your own: losing it loses all of that.',
    )
    .meta({ defaultText: 'none: the site is in nobody’s account' }),
});

export const host = mapping({
  site: text('the name of a site').describe(
    'Site that the host belongs to; fails together with everything else there.',
  ),
  runAs: text('the name of a user')
    .optional()
    .describe('User that servers started for a recovery run as, and that owns restored data. PostgreSQL refuses root.')
    .meta({ defaultText: 'the worker’s own user' }),
  stateDirectory: filePath().optional().describe('Where the worker spools log on its way to the copies.').meta({
    defaultText: '`/var/lib/holdfast/<name>` for root, else `$XDG_STATE_HOME/holdfast/<name>` (`~/.local/state/…`)',
  }),
  threads: count(threadsExpected, 1)
    .max(64, { error: threadsExpected })
    .optional()
    .describe(
      'Threads that hash, compress and encrypt what a backup stores. Each needs about 40 MiB; four stay below 512 MiB with everything else.',
    )
    .meta({ defaultText: 'the cores, at most 4' }),
});
