// A component of files: trees of one host.

import { z } from 'zod';
import { keepRules } from './keep.ts';
import { remoteAddress, remoteKey, remoteKnownHosts, remotePort, remoteRsync, remoteTimeout } from './remote.ts';
import { count, duration, flag, mapping, parsed, rate, schedule, size, text } from './values.ts';

const root = () =>
  parsed('an absolute path', (path) => {
    if (!path.startsWith('/')) throw new TypeError('not absolute');
  });

const pull = mapping({
  ssh: remoteAddress().describe('User and host that the trees are on.'),
  port: remotePort(),
  keyFile: remoteKey(),
  knownHosts: remoteKnownHosts(),
  rsync: remoteRsync(),
  timeout: remoteTimeout(),
});

const mirror = mapping({
  directory: root().describe(
    'Directory of its own, empty at first; the trees lie below `tree` in it by their whole paths.',
  ),
  ssh: remoteAddress()
    .optional()
    .describe('User and host that the directory is on.')
    .meta({ defaultText: 'it is mounted here' }),
  port: remotePort(),
  keyFile: remoteKey().optional().meta({ defaultText: 'needed with `ssh`' }),
  knownHosts: remoteKnownHosts().optional().meta({ defaultText: 'needed with `ssh`' }),
  rsync: remoteRsync(),
  timeout: remoteTimeout(),
  exclude: z
    .array(text('a pattern'), { error: 'a list of patterns' })
    .default([])
    .describe('What is left out, in the syntax of rsync; the rules for snapshots do not count here.')
    .meta({ defaultText: 'nothing' }),
  rate: rate().optional().describe('Most bytes per second.').meta({ defaultText: 'no limit' }),
  maxDelete: count('a number of names, 0 or more', 0)
    .default(1000)
    .describe(
      'Where more names than that are gone, none is deleted in that run; `status` says that they were held back.',
    ),
  schedule: schedule()
    .optional()
    .describe(
      'When it is brought up, beside the runs that follow each snapshot: `daily HH:MM`, `weekly DAY HH:MM`, `every DURATION`.',
    )
    .meta({ defaultText: 'only after each snapshot' }),
  behind: duration()
    .optional()
    .describe(
      'A mirror that is older than this is told as late; longer than `schedule` needs from one run to the next.',
    )
    .meta({ defaultText: 'twice as long as that, or `1d` without a `schedule`' }),
});

const hook = (when: string) =>
  z
    .array(text('a word of a command'), { error: 'a command as a list of words' })
    .min(1, { error: 'a command as a list of words' })
    .optional()
    .describe(when)
    .meta({ type: 'list of words', defaultText: 'none' });

export const files = mapping({
  host: text('the name of a host').describe('Host that they are on.'),
  roots: z
    .array(root(), { error: 'a list of absolute paths' })
    .min(1, { error: 'at least one path' })
    .describe('Directories, or files, that are captured with all that is below; absolute, none inside of another.'),
  exclude: z
    .array(text('a pattern'), { error: 'a list of patterns' })
    .default([])
    .describe(
      'What is left out, in the syntax of `.gitignore`, relative to each root: `*.tmp`, `/cache/`, `!keep.tmp`.',
    )
    .meta({ defaultText: 'nothing' }),
  oneFileSystem: flag()
    .default(true)
    .describe('Whether file systems that are mounted inside of a root are left out; each run tells which.'),
  cacheTags: flag()
    .default(true)
    .describe('Whether directories with a valid `CACHEDIR.TAG` are left out but for the tag.'),
  largest: size().optional().describe('Larger files are left out.').meta({ defaultText: 'no limit' }),
  backup: mapping({
    snapshot: schedule()
      .optional()
      .describe('When a snapshot is taken: `daily HH:MM`, `weekly DAY HH:MM`, `every DURATION`.')
      .meta({ defaultText: 'only by hand' }),
    rate: rate()
      .optional()
      .describe('Most bytes per second that are read of files; the example’s is `50MB/s`.')
      .meta({ defaultText: 'no limit' }),
  })
    .prefault({})
    .describe('When snapshots are taken, in the time zone of the estate, and how fast.'),
  pull: pull
    .optional()
    .describe(
      'The roots are on a host without a worker: `host` pulls them over SSH with rsync, and keeps what it pulled.',
    )
    .meta({ defaultText: 'the roots are on `host`' }),
  mirror: mirror
    .optional()
    .describe(
      'A copy of the trees as they are, kept up by rsync after each snapshot, and by a schedule of its own; no snapshot by itself.',
    )
    .meta({ defaultText: 'none' }),
  hooks: mapping({
    before: hook(
      'Command that runs before the scan, such as one that takes a volume snapshot; a failure of it fails the backup. Started without a shell.',
    ),
    after: hook('Command that runs at the end of every backup whose `before` was started, also of one that failed.'),
    within: duration().default('10min').describe('Longest time that each may take.'),
  })
    .optional()
    .describe('Commands around a snapshot, on the host, as the worker’s user.')
    .meta({ defaultText: 'none' }),
  keep: keepRules()
    .optional()
    .describe(
      'How long snapshots are kept: an age, or rules of which any keeps (`age`, `last`, `daily`, `weekly`, `monthly`, `yearly`; days of the estate’s time zone). The example’s is `90d`.',
    )
    .meta({ defaultText: 'everything is kept' }),
  objective: mapping({
    rpo: duration().optional().describe('Most changes, in time, that may be lost.').meta({ defaultText: 'none' }),
    rto: duration().optional().describe('Longest time that a restore may take.').meta({ defaultText: 'none' }),
  })
    .prefault({})
    .describe('What was promised; shown beside what is measured.'),
});
