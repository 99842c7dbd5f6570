// A PostgreSQL cluster.

import { z } from 'zod';
import { columnNameExpected, parseColumnName } from '../../src/domain/column-name.ts';
import { durationExpected, parseDuration } from '../../src/domain/duration.ts';
import { keepRules, rulesExpected } from './keep.ts';
import {
  count,
  duration,
  filePath,
  flag,
  mapping,
  oneOf,
  parsed,
  rate,
  schedule,
  secret,
  size,
  text,
} from './values.ts';

const wholeExpected = "retention is given whole, 'full' and 'log', or not at all";

const service = mapping({
  pgCtl: mapping({
    options: text('options for the server')
      .optional()
      .describe('Options handed to the server (`pg_ctl -o`).')
      .meta({ defaultText: 'none' }),
    logFile: filePath()
      .optional()
      .describe('Where the server’s output goes (`pg_ctl -l`).')
      .meta({ defaultText: 'nowhere' }),
  })
    .optional()
    .describe('The server is started and stopped with `pg_ctl`.'),
  systemd: text('the name of a unit').optional().describe('Name of the systemd unit that runs the server.'),
  commands: mapping({
    start: text('a command').describe('Starts the server and returns.'),
    stop: text('a command').describe('Stops the server and returns when it is stopped.'),
    status: text('a command').describe('Exits with 0 when the server runs.'),
  })
    .optional()
    .describe('Commands of your own, run by `/bin/sh`.'),
});

const expectExpected = "a comparison such as '> 0', '= 42' or '= text'";

const check = mapping({
  sql: text('a query').describe('Query whose first value of its first row is compared.'),
  expect: parsed(expectExpected, (value) => {
    if (!/^(=|!=|>=|<=|>|<)\s*\S/.test(value)) throw new TypeError('no operator');
  }).describe('Comparison (`=`, `!=`, `>`, `>=`, `<`, `<=`) that must hold; numbers are compared as numbers.'),
  database: text('the name of a database')
    .optional()
    .describe('Database to ask.')
    .meta({ defaultText: 'the one of the `url`' }),
});

const jobsExpected = 'a number of connections from 1 to 64';
const patterns = () =>
  z.array(text("the name of a database, in which '*' stands for anything"), { error: 'a list of names of databases' });

const logical = mapping({
  url: secret()
    .optional()
    .describe(
      'Reference to the connection URL of a role that may read everything (`GRANT pg_read_all_data`), where the one of `url` may not. It dumps, nothing else.',
    )
    .meta({ defaultText: 'as `url`' }),
  loadUrl: secret()
    .optional()
    .describe(
      'Reference to the connection URL of a role that loads dumps (`holdfast restore … --to dump:…`): it makes databases and gives what is in them to their owners, so a superuser in most clusters.',
    )
    .meta({ defaultText: 'as `url` above' }),
  jobs: count(jobsExpected, 1)
    .max(64, { error: jobsExpected })
    .default(4)
    .describe('Connections that read tables of a database at the same time; one more keeps the instant.'),
  include: patterns()
    .default([])
    .describe('Databases that are dumped; `*` stands for anything. A name that is no database’s is refused.')
    .meta({ defaultText: 'all that allow connections; never templates' }),
  exclude: patterns().default([]).describe('Databases that are left out of those.').meta({ defaultText: 'none' }),
});

export const database = mapping({
  host: text('the name of a host').describe('Host that the server runs on.'),
  url: secret().describe(
    'Reference to the connection URL of a role with REPLICATION (`postgres://role:password@host:5432/database`).',
  ),
  standby: mapping({
    url: secret().describe(
      'Reference to the connection URL of a standby, as of `url`. The role and its rights are the primary’s; `summarize_wal` is to be on there too for incremental backups.',
    ),
    behind: size().default('1GiB').describe('Most log that it may not have replayed yet.'),
  })
    .optional()
    .describe(
      'Standby that base backups are read from rather than from the server itself, as long as it is one of the same cluster on the same timeline; else the primary is read and the run says why. The log always comes from the primary.',
    )
    .meta({ defaultText: 'none: the primary' }),
  dataDirectory: filePath()
    .optional()
    .describe('Data directory on the host. A restore in place needs it.')
    .meta({ defaultText: 'none: only restores beside' }),
  service: service
    .optional()
    .describe('How the server is stopped and started around a restore in place. Exactly one of the ways below.')
    .meta({ defaultText: 'none: only restores beside' }),
  backup: mapping({
    full: schedule()
      .optional()
      .describe('When a full base backup is taken: `daily HH:MM`, `weekly DAY HH:MM`, `every DURATION`.')
      .meta({
        defaultText: 'only by hand',
      }),
    incremental: schedule()
      .optional()
      .describe(
        'When an incremental base backup is taken, in the same forms; `every 6h` suits most. It reads what changed and is whole all the same. Needs PostgreSQL 17 and its setting `summarize_wal`; older servers make a point instead (`backup --kind point`).',
      )
      .meta({ defaultText: 'only by hand' }),
    logical: schedule()
      .optional()
      .describe(
        'When every database is dumped with `pg_dump`, in the same forms. The example’s would be `daily 02:30`.',
      )
      .meta({ defaultText: 'only by hand' }),
    way: oneOf(['auto', 'stream'])
      .default('auto')
      .describe(
        'How a full base backup is read. `auto`: by the files of the server’s data directory, several at once, where the worker is on its host and may read them, else by the stream of the server; the run says which. `stream`: always by the stream. Incremental ones always come by the stream.',
      ),
    rate: rate()
      .optional()
      .describe(
        'Most bytes per second that a base backup reads from the server, whichever way. The server’s own limit ends at 1 GiB/s.',
      )
      .meta({ defaultText: 'no limit' }),
  })
    .prefault({})
    .describe('When base backups and dumps are taken, in the time zone of the estate, and how base backups are read.'),
  logical: logical.prefault({}).describe('Logical backups: which databases are dumped, by whom, and how.'),
  log: mapping({
    within: duration()
      .default('15min')
      .describe('Longest time until a change is in the vault, also when the database is idle.'),
    synchronous: flag()
      .default(false)
      .describe(
        'Zero data loss: every commit waits until the copies that `commit` asks for have it, and waits on while they do not. Needs `synchronous_standby_names` on the server; see docs/zero-rpo.md before it is switched on.',
      ),
  })
    .prefault({})
    .describe('The write-ahead log, shipped continuously.'),
  keep: mapping({
    full: keepRules(`${rulesExpected}; ${wholeExpected}`).describe(
      'How long full base backups are kept: an age, or rules of which any keeps (`age`, `last`, `daily`, `weekly`, `monthly`, `yearly`; days of the estate’s time zone). The example’s is `90d`.',
    ),
    incremental: keepRules()
      .optional()
      .describe('How long incremental base backups are kept, in the same forms. They cost only what changed.')
      .meta({ defaultText: 'as `full`' }),
    logical: keepRules()
      .optional()
      .describe('How long dumps are kept, in the same forms.')
      .meta({ defaultText: 'every dump is kept' }),
    log: parsed(`${durationExpected}; ${wholeExpected}`, parseDuration)
      .meta({ type: 'duration' })
      .describe(
        'The continuous window: any moment that lies in it can be recovered to. Two backups stay for it where `full` keeps too few. What each kept backup needs is kept as long as the backup. The example’s is `24h`.',
      ),
  })
    .optional()
    .describe('Retention, given whole or not at all. Without it nothing is ever deleted.')
    .meta({ defaultText: 'everything is kept' }),
  objective: mapping({
    rpo: duration().optional().describe('Most data, in time, that may be lost.').meta({ defaultText: 'none' }),
    rto: duration().optional().describe('Longest time that a recovery may take.').meta({ defaultText: 'none' }),
  })
    .prefault({})
    .describe('What was promised; shown beside what is measured.'),
  facts: mapping({
    maximum: z
      .array(parsed(columnNameExpected, parseColumnName), { error: 'a list of columns' })
      .default([])
      .describe(
        'Columns whose largest value never gets smaller (a time of creation, a serial number): `schema.table.column`, with the database in front where it is not that of the `url`. Each needs an index. What was restored must be at least as far as the backup was.',
      )
      .meta({ defaultText: 'none' }),
    within: duration()
      .default('30s')
      .describe(
        'Longest time that they may take, of all databases together; tables that are not counted by then are told.',
      ),
  })
    .prefault({})
    .describe(
      'What is noted of each database with every backup, and compared after every restore: digests of its definitions, rows of its tables, largest values.',
    ),
  checks: z
    .array(check, { error: 'a list of checks' })
    .default([])
    .describe('Your own questions to a recovered server.'),
});
