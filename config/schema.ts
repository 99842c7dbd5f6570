// What a configuration file may say: every key with its type, default and explanation; the reference documentation is made from this.

import { z } from 'zod';
import { bandwidthExpected, parseBandwidth } from '../src/domain/bandwidth.ts';
import { columnNameExpected, parseColumnName } from '../src/domain/column-name.ts';
import { NAME_PATTERN } from '../src/domain/component.ts';
import { durationExpected, parseDuration } from '../src/domain/duration.ts';
import { zoneOffsetMs } from '../src/domain/moment.ts';
import { parseSchedule, scheduleExpected } from '../src/domain/schedule.ts';
import { parseSize, sizeExpected } from '../src/domain/size.ts';
import { referenceProblem } from './references.ts';

// Every message is the end of a sentence that begins with "expected": the loader puts place and value before it.

const nameExpected = 'a name of small letters, digits and hyphens, beginning with a letter or digit, at most 63 long';
const name = () => z.string({ error: nameExpected }).regex(NAME_PATTERN, { error: nameExpected });

function text(expected: string) {
  return z.string({ error: expected }).min(1, { error: expected });
}

function count(expected: string, minimum: number) {
  return z.int({ error: expected }).min(minimum, { error: expected });
}

/** Text that `parse` must accept; the value stays as written. */
function parsed(expected: string, parse: (value: string) => unknown) {
  return z.string({ error: expected }).refine((value) => succeeds(() => parse(value)), { error: expected });
}

function succeeds(attempt: () => unknown): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

const duration = () => parsed(durationExpected, parseDuration).meta({ type: 'duration' });
const schedule = () => parsed(scheduleExpected, parseSchedule).meta({ type: 'schedule' });
const filePath = () => text('a path');

/** `secret: true` keeps the loader from ever repeating the value. */
const secret = () =>
  z
    .string({ error: 'a reference, env:NAME or file:/path' })
    .superRefine((value, context) => {
      const problem = referenceProblem(value);
      if (problem !== undefined) context.addIssue({ code: 'custom', message: problem, params: { secret: true } });
    })
    .meta({ type: 'reference' });

function mapping<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'unrecognized_keys' ? undefined : `a mapping with ${listOf(Object.keys(shape))}`),
  });
}

function listOf(keys: readonly string[]): string {
  return keys.map((key) => `'${key}'`).join(', ');
}

function named<Value extends z.ZodType>(value: Value, what: string) {
  return z
    .record(name(), value, { error: `a mapping from names to ${what}` })
    .refine((record) => Object.keys(record).length > 0, { error: `at least one of ${what}` });
}

function oneOf<const Values extends readonly [string, ...string[]]>(values: Values) {
  return z.enum(values, { error: `one of ${values.map((value) => `'${value}'`).join(', ')}` });
}

const flag = () => z.boolean({ error: 'true or false' });
const url = (expected: string) =>
  parsed(expected, (value) => {
    if (!/^https?:$/.test(new URL(value).protocol)) throw new TypeError('not http');
  });

const temporal = mapping({
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

const site = mapping({
  account: text('the name of an account')
    .optional()
    .describe(
      'Account of a provider that everything at the site belongs to, as a word of your own: losing it loses all of that.',
    )
    .meta({ defaultText: 'none: the site is in nobody’s account' }),
});

const host = mapping({
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

const kms = mapping({
  keyId: text('the id, ARN or alias of a KMS key').describe(
    'Key that wraps this slot: id, ARN or alias. Only this key is ever asked to open it. Needs `kms:GenerateDataKey` and `kms:Decrypt`.',
  ),
  region: text('the name of a region').describe('Region of the key.'),
  endpoint: url('the address of a KMS endpoint, such as https://kms.example.org')
    .optional()
    .describe('Endpoint of a service that is not AWS.')
    .meta({ defaultText: 'AWS, by region' }),
  accessKeyId: secret()
    .optional()
    .describe('Reference to the access key; together with `secretAccessKey`.')
    .meta({ defaultText: 'the AWS SDK’s own chain: environment, profile, role of the instance' }),
  secretAccessKey: secret().optional().describe('Reference to the secret of the access key.'),
});

const key = mapping({
  name: name().describe('Name of the key slot in the vault.'),
  file: filePath()
    .optional()
    .describe(
      'Key file (one line; mode 0600). `holdfast setup` makes it for a new vault, `holdfast keys add` for one that is there.',
    ),
  passphrase: secret().optional().describe('Reference to a passphrase, instead of `file`.'),
  kms: kms.optional().describe('Key of AWS KMS, instead of `file`.'),
});

const bandwidth = (what: string) =>
  parsed(bandwidthExpected, parseBandwidth)
    .optional()
    .describe(`Most bytes per second ${what}, both directions together.`)
    .meta({ type: 'bandwidth', defaultText: 'no limit' });

const pair = (may: string) =>
  mapping({
    accessKeyId: secret().describe('Reference to the access key.'),
    secretAccessKey: secret().describe('Reference to the secret of the access key.'),
  })
    .optional()
    .describe(may);

const credentials = mapping({
  write: pair(
    'Backups and log: needs to list, read and put objects (and retentions, with `lock`), never to delete. Without it this host writes nothing there.',
  ).meta({ defaultText: 'none' }),
  restore: pair('Restores: needs to list and read objects and their versions.').meta({ defaultText: 'as `write`' }),
  prune: pair(
    'Deletions: needs to list and delete objects and their versions. Without it this host deletes nothing there.',
  ).meta({ defaultText: 'none' }),
});

const s3 = mapping({
  bucket: text('the name of a bucket').describe('Bucket; it must exist.'),
  prefix: text('a prefix of keys')
    .optional()
    .describe('Prefix of all keys, without a slash at its end.')
    .meta({ defaultText: 'none' }),
  region: text('the name of a region').describe('Region that requests are signed for.'),
  endpoint: url('the address of an S3 endpoint, such as https://s3.example.org')
    .optional()
    .describe('Endpoint of a store that is not AWS.')
    .meta({ defaultText: 'AWS, by region' }),
  pathStyle: flag()
    .optional()
    .describe('Whether the bucket is part of the path instead of the host name.')
    .meta({ defaultText: '`true` with an `endpoint`, else `false`' }),
  accessKeyId: secret()
    .optional()
    .describe('Reference to the access key; together with `secretAccessKey`.')
    .meta({ defaultText: 'the AWS SDK’s own chain: environment, profile, role of the instance' }),
  secretAccessKey: secret().optional().describe('Reference to the secret of the access key.'),
  credentials: credentials
    .optional()
    .describe('Separate credentials for each purpose, instead of one pair for all.')
    .meta({ defaultText: 'one pair for all' }),
  lock: oneOf(['compliance', 'governance'])
    .optional()
    .describe(
      'Mode of Object Lock for what is kept: nobody (`compliance`), or nobody without a special permission (`governance`), can delete it before its retention ends. The bucket must have Object Lock.',
    )
    .meta({ defaultText: 'nothing is locked' }),
  lockFor: duration()
    .optional()
    .describe(
      'How long each snapshot is locked, from when it began; choose at least what `keep` says. Together with `lock`. Its packs serve later snapshots too: they are locked so long from the end of the time in which snapshots share packs (7 days for databases, 90 for files and configuration, 1 for Redis). Closed log is locked so long from when it is stored, and what opens the vault (its descriptor, its key slots) at least as long as anything else there.',
    )
    .meta({ defaultText: 'none' }),
  sse: oneOf(['AES256', 'aws:kms'])
    .optional()
    .describe(
      'Encryption by the store as well, of bytes that are encrypted already. A store that does not confirm it is refused.',
    )
    .meta({ defaultText: 'whatever the bucket does by itself' }),
  kmsKeyId: text('the id, ARN or alias of a KMS key')
    .optional()
    .describe('Key for `sse: aws:kms`.')
    .meta({ defaultText: 'the store’s own' }),
  storageClass: oneOf(['STANDARD', 'STANDARD_IA', 'ONEZONE_IA', 'INTELLIGENT_TIERING', 'GLACIER_IR'])
    .default('STANDARD')
    .describe(
      'Storage class of packs, which hold nearly all bytes. Only classes that can be read at once; everything else stays in `STANDARD`.',
    ),
  caFile: filePath()
    .optional()
    .describe('PEM file of the authority that signed the certificate of a private `endpoint`.')
    .meta({ defaultText: 'the authorities that Node knows' }),
  minimumTls: oneOf(['1.2', '1.3'])
    .default('1.3')
    .describe('Lowest TLS version accepted from an https endpoint. Quote it: a bare 1.3 is a number.'),
});

const copy = mapping({
  site: text('the name of a site').describe('Site that the copy is in.'),
  medium: text('a word for the kind of medium, such as disk, object or tape')
    .optional()
    .describe('Kind of medium, counted for the rule of three copies on two kinds of media.')
    .meta({ defaultText: '`disk` for `file`, `object` for `s3`' }),
  offsite: flag().default(false).describe('Whether the copy survives the loss of the place where the databases are.'),
  account: text('the name of an account')
    .optional()
    .describe(
      'Account of a provider that the copy belongs to, as a word of your own: copies in one account are lost together.',
    )
    .meta({
      defaultText: 'the site’s; without one `aws`, or the host of the `endpoint`, for `s3`, and none for `file`',
    }),
  file: filePath().optional().describe('Directory of the copy. Either `file` or `s3`.'),
  s3: s3.optional().describe('Bucket of the copy. Either `file` or `s3`.'),
  bandwidth: bandwidth('to and from this copy, for each worker or command'),
});

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

const rulesExpected =
  'a duration such as 90d, or rules such as { age: 90d, last: 10, daily: 14, weekly: 8, monthly: 12, yearly: 5 }, at least one of them';
const wholeExpected = "retention is given whole, 'full' and 'log', or not at all";
const atLeastOne = () => count('a number, at least 1', 1).optional();

/** What one class keeps: an age, or rules whose union is kept. */
const keepRules = () =>
  z
    .union(
      [
        duration(),
        z
          .strictObject({
            age: duration().optional(),
            last: atLeastOne(),
            daily: atLeastOne(),
            weekly: atLeastOne(),
            monthly: atLeastOne(),
            yearly: atLeastOne(),
          })
          .refine((rules) => Object.values(rules).some((rule) => rule !== undefined), {
            error: rulesExpected,
          }),
      ],
      { error: (issue) => (issue.input === undefined ? `${rulesExpected}; ${wholeExpected}` : rulesExpected) },
    )
    .meta({ type: 'duration or rules' });

const shareExpected = 'a share of the snapshots of a class from 1% to 100%, such as 35%';

const retention = mapping({
  schedule: schedule()
    .default('daily 04:00')
    .describe(
      'When `holdfast retention apply` runs by itself: where a component has `keep`, or a copy has `lock`, so that what is held stays locked.',
    ),
  grace: parsed('a duration of at least 1h, such as 7d', (text) => {
    if (parseDuration(text) < 3600) throw new RangeError('too short');
  })
    .default('7d')
    .meta({ type: 'duration' })
    .describe(
      'Time between naming what is not needed and deleting it, on every copy. In it, everything can be had back.',
    ),
  maximum: mapping({
    share: parsed(shareExpected, (text) => {
      if (!/^\d{1,3}%$/.test(text) || Number.parseInt(text, 10) < 1 || Number.parseInt(text, 10) > 100) {
        throw new RangeError('no share');
      }
    })
      .default('35%')
      .describe('Most snapshots of a class of one component, as a share of those that are not marked yet.'),
    snapshots: count('a number of snapshots, at least 1', 1)
      .default(3)
      .describe('So many may be marked in any case, whatever their share.'),
  })
    .prefault({})
    .describe(
      'What one run may mark for deletion. A mistake (a rule that is too short, a clock that jumped) asks for much at once: then nothing of the component is marked and the run is refused, until somebody has looked and says `retention apply --beyond-maximum`.',
    ),
});

const verify = mapping({
  schedule: schedule().default('daily 05:00').describe('When `holdfast test integrity` runs by itself.'),
  level: oneOf(['listed', 'attested', 'hashed', 'decrypted'])
    .default('hashed')
    .describe('How closely is looked: listings, the checksums of the stores, every byte, every chunk.'),
  within: duration()
    .default('30d')
    .describe('What was seen good at this level in this time is not read again; whole days.'),
  bytes: parsed(sizeExpected, parseSize)
    .optional()
    .meta({ type: 'size', defaultText: 'no limit' })
    .describe('Most bytes that one run reads, longest ago first.'),
  time: duration().default('4h').describe('A run begins no object after so long.'),
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

const database = mapping({
  host: text('the name of a host').describe('Host that the server runs on.'),
  url: secret().describe(
    'Reference to the connection URL of a role with REPLICATION (`postgres://role:password@host:5432/database`).',
  ),
  standby: mapping({
    url: secret().describe(
      'Reference to the connection URL of a standby, as of `url`. The role and its rights are the primary’s; `summarize_wal` is to be on there too for incremental backups.',
    ),
    behind: parsed(sizeExpected, parseSize)
      .default('1GiB')
      .describe('Most log that it may not have replayed yet.')
      .meta({ type: 'size' }),
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
    rate: parsed(bandwidthExpected, parseBandwidth)
      .optional()
      .describe(
        'Most bytes per second that a base backup reads from the server, whichever way. The server’s own limit ends at 1 GiB/s.',
      )
      .meta({ type: 'bandwidth', defaultText: 'no limit' }),
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
    full: keepRules().describe(
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

export const schema = mapping({
  name: name().describe('Name of the estate: part of every workflow id, queue, schedule and replication slot.'),
  timezone: parsed('an IANA time zone such as Europe/Berlin or UTC', (zone) => zoneOffsetMs(0, zone))
    .default('UTC')
    .describe('Time zone of schedules, and of moments written without one.'),
  temporal: temporal.prefault({}).describe('The Temporal server.'),
  sites: named(site, 'sites').describe(
    'Places that fail as one: regions, data centres, rooms. The mapping of a name may be empty.',
  ),
  hosts: named(host, 'hosts').describe('Machines that a worker runs on, by name.'),
  vault: mapping({
    keys: z
      .array(key, { error: 'a list of keys' })
      .min(1, { error: 'at least one key' })
      .describe('Keys of the vault. Any one of them opens it; keep one off the host.'),
    copies: named(copy, 'copies').describe('Copies of the vault, by name, all written at once.'),
    commit: mapping({
      copies: count('a number of copies, at least 1', 1).describe('How many copies must hold it.'),
      offsite: count('a number of copies, 0 or more', 0).default(0).describe('How many of those must be off-site.'),
    }).describe('What “durable” means here, for snapshots and for the log.'),
    bandwidth: bandwidth('to and from all copies, for each worker or command'),
    compression: oneOf(['zstd', 'gzip', 'none']).default('zstd').describe('Compression of what is stored.'),
  }).describe('The encrypted repository.'),
  database: named(database, 'databases').describe('PostgreSQL clusters, by name; `database/NAME` on the command line.'),
  retention: retention.prefault({}).describe('How what `keep` does not keep is deleted.'),
  verify: verify
    .optional()
    .describe('Verification of what the copies hold, by schedule. Without it only `holdfast test integrity` does it.')
    .meta({ defaultText: 'none: only by command' }),
  approval: mapping({
    restoreInPlace: oneOf(['never', 'always'])
      .default('never')
      .describe('Whether a restore in place waits for `holdfast approve`.'),
    within: duration().default('1h').describe('A plan that nobody approved within this time is refused.'),
  })
    .prefault({})
    .describe('Who must agree before harm.'),
});

/** The file's content with defaults, before names are resolved and units are turned into numbers. */
export type ConfigurationFile = z.output<typeof schema>;
