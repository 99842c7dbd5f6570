// A component of Redis: the data of one server of Redis or Valkey.

import { keepRules } from './keep.ts';
import { duration, filePath, mapping, oneOf, schedule, secret, text } from './values.ts';

const service = mapping({
  systemd: text('the name of a unit').optional().describe('Name of the systemd unit that runs the server.'),
  commands: mapping({
    start: text('a command').describe('Starts the server and returns.'),
    stop: text('a command').describe('Stops the server and returns when it is stopped.'),
  })
    .optional()
    .describe('Commands of your own, run by `/bin/sh`.'),
});

export const redis = mapping({
  host: text('the name of a host').describe(
    'Host whose worker captures it; for a restore into the stopped server, the one that the server runs on.',
  ),
  url: secret().describe(
    'Reference to the address: `redis://USER:PASSWORD@HOST:PORT`, `rediss://…` for TLS, or `unix:///PATH?username=USER&password=PASSWORD`. docs/redis.md tells the least that the user needs.',
  ),
  caFile: filePath()
    .optional()
    .describe('PEM file of the authority that signed the server’s certificate.')
    .meta({ defaultText: 'the authorities that Node knows' }),
  programs: filePath()
    .optional()
    .describe(
      'Directory of `redis-server` and `redis-check-rdb` (or `valkey-…`), of the server’s own version or a later one: every snapshot is checked and loaded with them.',
    )
    .meta({ defaultText: 'on `PATH`' }),
  dataDirectory: filePath()
    .optional()
    .describe('Data directory of the server (`dir`); needed for restores into the stopped server.')
    .meta({ defaultText: 'none' }),
  files: mapping({
    rdb: text('a file name').default('dump.rdb').describe('Name of the RDB (`dbfilename`).'),
    appendDirectory: text('a name')
      .default('appendonlydir')
      .describe('Name of the directory of append-only files (`appenddirname`).'),
    append: text('a file name').default('appendonly.aof').describe('Name of the append-only files (`appendfilename`).'),
  })
    .prefault({})
    .describe('What the server calls its files, as its own configuration says.'),
  service: service
    .optional()
    .describe(
      'How the server is stopped and started around a restore. Without it, somebody stops it before and starts it afterwards.',
    ),
  backup: mapping({
    rdb: schedule()
      .optional()
      .describe('When a snapshot is taken: `daily HH:MM`, `weekly DAY HH:MM`, `every DURATION`; `every 2h` suits most.')
      .meta({ defaultText: 'only by hand' }),
    aof: schedule()
      .optional()
      .describe(
        'When the append-only files are captured, in the same forms; `every 15min` suits most. Needs `appendonly yes` on the server, and its `dataDirectory` here; with `aof-timestamp-enabled yes` any second can be restored. The worker keeps every file meanwhile, below `.holdfast/aof` in the data directory.',
      )
      .meta({ defaultText: 'only by hand' }),
    way: oneOf(['sync', 'bgsave'])
      .default('sync')
      .describe(
        'How an RDB is had. `sync`: as a replica gets it, over the connection. `bgsave`: the server saves its own file, which the worker reads on the same host.',
      ),
  })
    .prefault({})
    .describe('When snapshots are taken, in the time zone of the estate, and how.'),
  keep: mapping({
    rdb: keepRules().describe(
      'How long snapshots are kept: an age, or rules of which any keeps (`age`, `last`, `daily`, `weekly`, `monthly`, `yearly`; days of the estate’s time zone). The example’s would be `30d`.',
    ),
    aof: keepRules()
      .optional()
      .describe('How long captures of append-only files are kept, in the same forms.')
      .meta({ defaultText: 'every one is kept' }),
  })
    .optional()
    .describe('Retention. Without it nothing is ever deleted.')
    .meta({ defaultText: 'everything is kept' }),
  objective: mapping({
    rpo: duration().optional().describe('Most changes, in time, that may be lost.').meta({ defaultText: 'none' }),
    rto: duration().optional().describe('Longest time that a restore may take.').meta({ defaultText: 'none' }),
  })
    .prefault({})
    .describe('What was promised; shown beside what is measured.'),
});
