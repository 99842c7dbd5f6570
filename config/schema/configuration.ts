// A component of configuration: files of one host by path and pattern, and outputs of commands, with their history in Git.

import path from 'node:path';
import { z } from 'zod';
import { parseSize } from '../../src/domain/size.ts';
import { keepRules } from './keep.ts';
import { duration, filePath, mapping, name, parsed, schedule, secret, size, text } from './values.ts';

const pathExpected = "an absolute path or pattern below '/', such as /etc or /etc/postgresql/*/main/*.conf";
const place = () =>
  parsed(pathExpected, (value) => {
    if (!value.startsWith('/') || path.resolve(value) === '/') throw new TypeError('not below the root');
  });

const patterns = (what: string) => z.array(text('a pattern'), { error: 'a list of patterns' }).describe(what);

const expressionExpected = 'a regular expression that JavaScript takes';
const expression = () =>
  parsed(expressionExpected, (value) => {
    new RegExp(value, 'gm');
  });

/** All of a text is in memory while secrets are looked for in it, several times over. */
const MOST_TEXT_BYTES = 16 * 1024 * 1024;
const textSize = () =>
  parsed('a size of at most 16MiB, such as 1MiB', (value) => {
    if (parseSize(value) > MOST_TEXT_BYTES) throw new RangeError('too large');
  }).meta({ type: 'size' });

const command = mapping({
  run: z
    .array(text('a word of a command'), { error: 'a command as a list of words' })
    .min(1, { error: 'a command as a list of words' })
    .optional()
    .describe('Program and arguments, run without a shell. Either `run` or `shell`.')
    .meta({ type: 'list of words', defaultText: 'none' }),
  shell: text('a line for a shell').optional().describe('Line for `/bin/sh -c`. Either `run` or `shell`.').meta({
    defaultText: 'none',
  }),
  timeout: duration().default('1min').describe('After so long it is ended and counts as failed.'),
  largest: size().default('4MiB').describe('When it prints more it is ended and counts as failed.'),
  env: z
    .record(text('the name of a variable'), secret(), { error: 'a mapping from names of variables to references' })
    .default({})
    .describe('Variables that it gets, by reference: their values are taken out of everything that it prints.')
    .meta({ type: 'mapping of references', defaultText: 'none' }),
  runAs: text('the name of a user')
    .optional()
    .describe('User that it runs as, when the worker is root.')
    .meta({ defaultText: 'the worker’s own' }),
});

const rule = mapping({
  pattern: expression().describe(
    'Regular expression; `^` and `$` match at every line. Its first group is the secret, or all that it matches.',
  ),
  files: patterns('Files that it is for, in the syntax of `.gitignore`, as whole paths; outputs of commands then not.')
    .optional()
    .meta({ type: 'list of patterns', defaultText: 'every file and every output' }),
  kind: text('a word').default('secret').describe('Word for it in the marker.'),
});

const remoteExpected = 'the address of a repository without a password or token in it';
const remote = mapping({
  url: parsed(remoteExpected, (value) => {
    if (
      /:\/\/[^/@]*:[^/@]*@/.test(value) ||
      /^https?:\/\/[^/]*@/.test(value) ||
      !/^(?:https?:\/\/|ssh:\/\/|\/|[\w.-]+@[\w.-]+:)/.test(value)
    ) {
      throw new TypeError('a password, or nothing that is known');
    }
  }).describe('Repository that `main` is pushed to: `https://…`, `ssh://…`, `user@host:path`, or an absolute path.'),
  branch: text('the name of a branch').default('main').describe('Branch there. It is never forced.'),
  user: text('the name of a user').optional().describe('User of the password.').meta({ defaultText: '`git`' }),
  password: secret()
    .optional()
    .describe('Reference to the password, or token, of an `https://` remote.')
    .meta({ defaultText: 'none' }),
  sshKey: filePath()
    .optional()
    .describe('File of the private key for `ssh`.')
    .meta({ defaultText: 'what `ssh` finds by itself' }),
  knownHosts: filePath()
    .optional()
    .describe('File with the keys of hosts that `ssh` trusts; it asks nobody.')
    .meta({ defaultText: 'the user’s own' }),
  timeout: duration().default('2min').describe('After so long a push is given up; the next run makes up for it.'),
});

export const configuration = mapping({
  host: text('the name of a host').describe('Host that it is of.'),
  paths: z
    .array(place(), { error: 'a list of paths' })
    .min(1, { error: 'at least one path' })
    .describe(
      'Files and directories, absolute, and patterns of them (`*`, `?`, `[…]` within a name), looked up at each snapshot.',
    ),
  exclude: patterns('What is left out, in the syntax of `.gitignore`, relative to each path.')
    .default([])
    .meta({ defaultText: 'nothing' }),
  commands: z
    .record(name(), command, { error: 'a mapping from names to commands' })
    .default({})
    .describe('Programs whose output belongs to the configuration, by name.')
    .meta({ defaultText: 'none' }),
  redact: z
    .array(rule, { error: 'a list of rules' })
    .default([])
    .describe('What is a secret beside what is known to be one. Git gets a marker; the vault keeps the original.')
    .meta({ defaultText: 'only what is built in' }),
  withhold: patterns('Files of which Git gets no text at all, in the syntax of `.gitignore`, as whole paths.')
    .default([])
    .meta({ defaultText: 'only names that stand for secrets, and our own key files' }),
  git: mapping({
    largest: textSize().default('1MiB').describe('Larger texts are withheld from Git; at most 16MiB.'),
    remote: remote.optional().describe('Where the history is pushed to.').meta({ defaultText: 'nowhere' }),
  })
    .prefault({})
    .describe('The history in Git, in a repository below the host’s state directory.'),
  backup: mapping({
    snapshot: schedule()
      .optional()
      .describe('When a snapshot is taken; the example’s is `daily 01:00`.')
      .meta({ defaultText: 'only by hand' }),
  })
    .prefault({})
    .describe('When snapshots are taken, in the time zone of the estate.'),
  keep: keepRules()
    .optional()
    .describe('How long snapshots are kept, as of files; the example’s is `365d`.')
    .meta({ defaultText: 'everything is kept' }),
  objective: mapping({
    rpo: duration().optional().describe('Most changes, in time, that may be lost.').meta({ defaultText: 'none' }),
    rto: duration().optional().describe('Longest time that a restore may take.').meta({ defaultText: 'none' }),
  })
    .prefault({})
    .describe('What was promised; shown beside what is measured.'),
});
