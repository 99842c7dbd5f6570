// The texts of two snapshots, or of one and the host as it is now, compared as Git compares them: no secret is ever in them.

import { randomBytes } from 'node:crypto';
import os from 'node:os';
import path from 'node:path';
import { fail } from '../errors/index.ts';
import { presentEntries, type Told } from '../files/index.ts';
import { inOwnDirectory } from '../process/index.ts';
import { isThere } from '../system/index.ts';
import type { Snapshot, TreeEntry, Vault } from '../vault/index.ts';
import { runCommands } from './commands.ts';
import { KEY_BYTES, knownMarkerKey } from './marker-key.ts';
import { knownSecretsOf } from './own-entries.ts';
import { expandPaths } from './paths.ts';
import type { Place } from './place.ts';
import { sha256Of } from './read-as-captured.ts';
import { Redaction } from './redaction/redaction.ts';
import { changesBetween, type TextChange } from './repository/changes.ts';
import { Git, initRepository } from './repository/git.ts';
import { scratchRepository } from './repository/make-commit.ts';
import { commitOf, haveCommit } from './repository/open-repository.ts';
import { listTree, treeOf, writeTree } from './repository/write-tree.ts';
import { textsOf } from './texts.ts';
import type { ConfigurationSource, RedactionRule, Withheld } from './types.ts';

export interface DiffOptions {
  readonly vault: Vault;
  readonly place: Place;
  readonly from: Snapshot;
  /** `source`: the host as it is now; its commands are run. */
  readonly to: Snapshot | { readonly source: ConfigurationSource };
  /** Of today: what older texts still have of these is not shown. */
  readonly rules: readonly RedactionRule[];
  /** Secrets of Holdfast itself. */
  readonly own?: readonly string[];
  /** More of the text than this is cut off, and told. */
  readonly largestBytes: number;
  readonly signal: AbortSignal;
}

export interface ConfigurationDiff {
  /** In the order of names; `path` as the commit has it. */
  readonly changes: readonly TextChange[];
  /** As Git writes it. */
  readonly text: string;
  readonly isCut: boolean;
  /** Of the host as it is now: what is not compared by its text. */
  readonly withheld?: Told<Withheld>;
}

/** Changes nothing, on the host or in the vault. Throws `OBJECT_MISSING` and what the vault says when a commit cannot be had. */
export async function diffConfiguration(options: DiffOptions): Promise<ConfigurationDiff> {
  const place = { parent: os.tmpdir(), prefix: 'holdfast-diff-', signal: options.signal };
  return await inOwnDirectory(place, (workDirectory) => diffIn(options, workDirectory));
}

async function diffIn(options: DiffOptions, workDirectory: string): Promise<ConfigurationDiff> {
  const { vault, place, from, to, signal } = options;
  const isHere = await isThere(place.repository);
  const git = isHere
    ? await scratchRepository(new Git(place.repository, signal), workDirectory, signal)
    : await initRepository(path.join(workDirectory, 'scratch.git'), signal);
  const one = commitOf(from);
  await haveCommit(git, { vault, workDirectory }, from, one);
  if (!('source' in to)) await haveCommit(git, { vault, workDirectory }, to, commitOf(to));
  const redaction = await redactionOf(options);
  try {
    if (!('source' in to)) return await compare(git, one, commitOf(to), options, redaction);
    const { tree, withheld } = await treeOfNow(options, to.source, { git, workDirectory, redaction });
    return { ...(await compare(git, one, tree, options, redaction)), withheld };
  } finally {
    await redaction.close();
  }
}

/** Knows what the later of the snapshots knew. Throws `OBJECT_MISSING` where the markers of now could not be those of then. */
async function redactionOf({ vault, place, from, to, rules, own = [], signal }: DiffOptions): Promise<Redaction> {
  const isNow = 'source' in to;
  const later = isNow || from.to > to.to ? from : to;
  const reader = await vault.openSnapshot(later.id);
  try {
    const key = await knownMarkerKey(place, reader);
    if (!key && isNow) fail('OBJECT_MISSING', `the snapshot '${later.id}' does not tell how its markers were made`);
    const known = isNow ? to.source.commands.flatMap(({ env }) => Object.values(env)) : [];
    const remembered = await knownSecretsOf(reader);
    return new Redaction({ key: key ?? randomBytes(KEY_BYTES), rules, known, own, remembered, signal });
  } finally {
    reader.close();
  }
}

async function compare(
  git: Git,
  one: string,
  other: string,
  { largestBytes }: DiffOptions,
  redaction: Redaction,
): Promise<ConfigurationDiff> {
  const changes: TextChange[] = [];
  for (const { what, path: name } of await changesBetween(git, one, other)) {
    changes.push({ what, path: await redaction.words({ text: name, place: 'names', splitAt: '/' }) });
  }
  const options = ['--no-ext-diff', '--no-textconv', '--no-color', '--no-renames', '--text', '--no-prefix'];
  const { bytes, isCut } = await git.bytes(['diff', ...options, one, other], largestBytes);
  if (changes.length > 0 !== bytes.length > 0) fail('INTERNAL', 'git tells of changes that it does not show');
  return { changes, text: await redaction.difference(bytes.toString('utf8')), isCut };
}

async function treeOfNow(
  { from, signal }: DiffOptions,
  source: ConfigurationSource,
  {
    git,
    workDirectory,
    redaction,
  }: { readonly git: Git; readonly workDirectory: string; readonly redaction: Redaction },
): Promise<{ tree: string; withheld: Told<Withheld> }> {
  const { roots } = await expandPaths(source.paths);
  const ran = await runCommands(source.commands, signal);
  const entries: TreeEntry[] = [];
  for await (const entry of presentEntries({ roots: [...roots].sort(), rules: source.rules })) {
    const sha256 = entry.type === 'file' ? await sha256Of(entry.path) : undefined;
    // What cannot be read is in no snapshot either.
    if (entry.type !== 'file') entries.push(entry);
    else if (sha256 !== undefined) entries.push({ ...entry, sha256 });
  }
  const before = new Map((await listTree(git, commitOf(from))).map((file) => [file.path, file]));
  const texts = await textsOf({ source, entries, ran, redaction, before });
  const isFit = texts.unfit === undefined;
  const tree = isFit ? await writeTree(git, workDirectory, texts.files, texts.kept) : await treeOf(git, commitOf(from));
  return { tree, withheld: texts.withheld };
}
