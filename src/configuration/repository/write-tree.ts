// Texts as a tree of Git: blobs and an index in the scratch repository, nothing of it by a work tree.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { bytesOfText, textOfPath } from '../../domain/path-text.ts';
import { fail } from '../../errors/index.ts';
import type { Git } from './git.ts';

export interface TextFile {
  /** In the commit. */
  readonly path: string;
  readonly kind: 'text' | 'program' | 'link';
  readonly content: string | Uint8Array;
}

/** What an earlier commit has, as it is there. */
export interface KeptFile {
  readonly path: string;
  readonly mode: string;
  readonly oid: string;
}

const MODES = { text: '100644', program: '100755', link: '120000' } as const;

/** The tree's id. `workDirectory` is private: only redacted texts come into it. */
export async function writeTree(
  git: Git,
  workDirectory: string,
  files: readonly TextFile[],
  kept: readonly KeptFile[],
): Promise<string> {
  const oids = await writeBlobs(git, path.join(workDirectory, 'texts'), files);
  const lines = [
    ...files.map(({ path: name, kind }, number) => indexLine(MODES[kind], oids[number] as string, name)),
    ...kept.map(({ path: name, mode, oid }) => indexLine(mode, oid, name)),
  ];
  const env = { GIT_INDEX_FILE: path.join(workDirectory, 'index') };
  await git.ask(['update-index', '-z', '--add', '--index-info'], { env, input: Buffer.concat(lines) });
  const tree = await git.ask(['write-tree'], { env });
  await requireAll(git, tree, files.length + kept.length);
  return tree;
}

async function writeBlobs(git: Git, directory: string, files: readonly TextFile[]): Promise<string[]> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  for (const [number, { content }] of files.entries()) {
    await writeFile(path.join(directory, String(number)), content, { mode: 0o600 });
  }
  const input = files.map((_, number) => `${path.join(directory, String(number))}\n`).join('');
  const answer = await git.ask(['hash-object', '-w', '--no-filters', '--stdin-paths'], { input });
  const oids = answer === '' ? [] : answer.split('\n');
  if (oids.length !== files.length) fail('BACKUP_INVALID', `git stored ${oids.length} of ${files.length} texts`);
  return oids;
}

function indexLine(mode: string, oid: string, name: string): Buffer {
  return Buffer.concat([Buffer.from(`${mode} ${oid}\t`), bytesOfText(name), Buffer.of(0)]);
}

/** A name that Git passes over, or two that it takes for one, must not be missing unseen. */
async function requireAll(git: Git, tree: string, count: number): Promise<void> {
  const listed = await listTree(git, tree);
  if (listed.length !== count) fail('BACKUP_INVALID', `git took ${listed.length} of ${count} names into the commit`);
}

/** Of a commit. */
export async function treeOf(git: Git, commit: string): Promise<string> {
  return await git.ask(['rev-parse', '--verify', `${commit}^{tree}`]);
}

export async function listTree(git: Git, tree: string): Promise<KeptFile[]> {
  const { bytes, isCut } = await git.bytes(['ls-tree', '-r', '-z', '--full-tree', tree]);
  if (isCut) fail('BACKUP_INVALID', `the tree '${tree}' has more names than can be read`);
  const files: KeptFile[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = bytes.indexOf(0, at);
    const tab = bytes.indexOf(0x09, at);
    const [mode = '', , oid = ''] = bytes.toString('latin1', at, tab).split(' ');
    files.push({ path: textOfPath(bytes.subarray(tab + 1, end)), mode, oid });
    at = end + 1;
  }
  return files;
}
