// What a snapshot of configuration holds beside the files: outputs of commands, what the next run goes on with, and the commit of the texts with all of its history.

import { createReadStream } from 'node:fs';
import path from 'node:path';
import type { ComponentId } from '../domain/component.ts';
import { type FilesDetails, presentDirectory } from '../files/index.ts';
import type { SnapshotId, SnapshotReader, SnapshotWriter, TreeEntry } from '../vault/index.ts';
import { outcomesOf } from './command-outcome.ts';
import type { RanCommand } from './commands.ts';
import { BUNDLE, isBelowRoot, KNOWN_SECRETS } from './own-entries.ts';
import { addOwnFiles, once, ownEntry } from './own-files.ts';
import type { ExpandedPaths } from './paths.ts';
import type { Redaction } from './redaction/redaction.ts';
import { makeBundle, proveBundle } from './repository/bundle.ts';
import type { Git } from './repository/git.ts';
import { makeCommit, scratchRepository } from './repository/make-commit.ts';
import { commitOf, type OpenedRepository } from './repository/open-repository.ts';
import { listTree, treeOf, writeTree } from './repository/write-tree.ts';
import { type Texts, textsOf } from './texts.ts';
import type { ConfigurationDetails, ConfigurationSource } from './types.ts';

/** What a capture begins with. */
export interface Given {
  readonly opened: OpenedRepository;
  readonly reader: SnapshotReader | undefined;
  readonly redaction: Redaction;
  /** Of the markers. */
  readonly key: Uint8Array;
}

export interface CapturedFiles extends Given {
  readonly ran: readonly RanCommand[];
  readonly writer: SnapshotWriter;
  readonly files: FilesDetails;
  readonly entries: readonly TreeEntry[];
  readonly expanded: ExpandedPaths;
}

export interface TextsPlace {
  readonly workDirectory: string;
  /** Of the capture. */
  readonly started: Date;
}

export interface TextsOptions extends TextsPlace {
  readonly source: ConfigurationSource;
  readonly request: { readonly snapshotId: SnapshotId; readonly component: ComponentId; readonly host: string };
  /** Told how many texts were looked through for secrets. */
  readonly onText?: (texts: number) => void;
  readonly signal: AbortSignal;
}

/** The commit is in the scratch repository alone: what no snapshot holds, nobody must see. Throws as `captureConfiguration`. */
export async function addTexts(options: TextsOptions, captured: CapturedFiles): Promise<ConfigurationDetails> {
  const { source, request, started, workDirectory, signal } = options;
  const { opened, ran, writer, reader, files, expanded, redaction, key } = captured;
  await addParents(captured);
  await addOwnFiles(writer, ran, key, started);
  const scratch = await scratchRepository(opened.git, workDirectory, signal);
  const texts = await textsFrom(options, captured, scratch);
  await writer.addFile(ownEntry(KNOWN_SECRETS, started), once(Buffer.from(JSON.stringify(redaction.remembered))));
  const tree = await treeFor(texts, scratch, opened.main, workDirectory);
  const { component, host, snapshotId } = request;
  const { unfit } = texts;
  const commit = { opened, tree, snapshotId, component, host, at: started, ...(unfit !== undefined && { unfit }) };
  const repository = await makeCommit(scratch, commit);
  if (!(await hasBundle(writer, reader, repository.commit)))
    await addBundle(options, writer, scratch, repository.commit);
  return {
    ...files,
    paths: source.paths,
    missing: expanded.missing,
    unmatched: expanded.unmatched,
    commands: await outcomesOf(ran, redaction),
    repository,
    secrets: texts.secrets,
    withheld: texts.withheld,
  };
}

async function textsFrom(
  { source, onText }: TextsOptions,
  { opened, entries, ran, redaction }: CapturedFiles,
  scratch: Git,
): Promise<Texts> {
  const before = opened.main === undefined ? [] : await listTree(scratch, opened.main);
  const known = new Map(before.map((file) => [file.path, file]));
  return await textsOf({ source, entries, ran, redaction, before: known, ...(onText && { onText }) });
}

/** What is unfit changes nothing: the tree stays as it was, and has nothing where there was none. */
async function treeFor(
  { files, kept, unfit }: Texts,
  scratch: Git,
  main: string | undefined,
  workDirectory: string,
): Promise<string> {
  if (unfit === undefined) return await writeTree(scratch, workDirectory, files, kept);
  return main === undefined ? await writeTree(scratch, workDirectory, [], []) : await treeOf(scratch, main);
}

/** A single file comes back into its directory: what that is has to be known. */
async function addParents({ entries, expanded: { roots }, writer }: CapturedFiles): Promise<void> {
  const files = entries.filter(({ path: name, type }) => type !== 'directory' && roots.includes(`/${name}`));
  const parents = new Set(files.map(({ path: name }) => path.posix.dirname(`/${name}`)));
  for (const parent of [...parents].sort()) {
    if (parent !== '/' && !isBelowRoot(parent.slice(1), roots)) await writer.addEntry(await presentDirectory(parent));
  }
}

/** The same history is not stored again. */
async function hasBundle(writer: SnapshotWriter, reader: SnapshotReader | undefined, commit: string): Promise<boolean> {
  if (!reader || commitOf(reader.snapshot) !== commit) return false;
  for await (const entry of reader.entries()) {
    if (entry.path === BUNDLE && (await writer.addUnchanged(entry))) return true;
  }
  return false;
}

async function addBundle(
  { workDirectory, started, signal }: TextsOptions,
  writer: SnapshotWriter,
  scratch: Git,
  commit: string,
): Promise<void> {
  const file = path.join(workDirectory, 'repository.bundle');
  await makeBundle(scratch, file);
  await proveBundle(file, commit, workDirectory, signal);
  await writer.addFile(ownEntry(BUNDLE, started), createReadStream(file));
}
