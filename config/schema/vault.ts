// The vault: its keys, its copies, and what counts as durable.

import { z } from 'zod';
import { count, duration, filePath, flag, mapping, name, named, oneOf, rate, secret, text, url } from './values.ts';

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
  rate()
    .optional()
    .describe(`Most bytes per second ${what}, both directions together.`)
    .meta({ defaultText: 'no limit' });

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

export const vault = mapping({
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
});
