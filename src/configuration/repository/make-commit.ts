// The commit of one snapshot, in a scratch repository that borrows what the real one has.

import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { SnapshotId } from '../../vault/index.ts';
import type { RepositoryDetails } from '../types.ts';
import { MAIN } from './bundle.ts';
import { changesBetween, countsOf, EMPTY_TREE, listOf, summaryOf } from './changes.ts';
import { type Git, initRepository } from './git.ts';
import type { OpenedRepository } from './open-repository.ts';
import { treeOf } from './write-tree.ts';

export interface CommitRequest {
  readonly opened: OpenedRepository;
  /** In the scratch repository. */
  readonly tree: string;
  /** In words, why the texts are not fit to be shown; the tree is that of the commit before. */
  readonly unfit?: string;
  readonly snapshotId: SnapshotId;
  readonly component: string;
  readonly host: string;
  readonly at: Date;
}

export const SCRATCH = 'scratch.git';

/** Everything that is written goes into it and is gone with it. */
export async function scratchRepository(real: Git, workDirectory: string, signal: AbortSignal): Promise<Git> {
  const scratch = await initRepository(path.join(workDirectory, SCRATCH), signal);
  const information = path.join(scratch.directory, 'objects', 'info');
  await mkdir(information, { recursive: true });
  await writeFile(path.join(information, 'alternates'), `${path.join(real.directory, 'objects')}\n`);
  return scratch;
}

/** `main` of the scratch repository becomes the commit, which is the old one where nothing changed. */
export async function makeCommit(scratch: Git, request: CommitRequest): Promise<RepositoryDetails> {
  const { main, other, begunAnew } = request.opened;
  const before = main === undefined ? EMPTY_TREE : await treeOf(scratch, main);
  const changes = await changesBetween(scratch, before, request.tree);
  const told = { changes: countsOf(changes), ...(begunAnew !== undefined && { begunAnew }) };
  if (main !== undefined && other === undefined && before === request.tree) {
    await scratch.ask(['update-ref', MAIN, main]);
    const summary = request.unfit === undefined ? 'Nothing changed' : `No commit: ${request.unfit}`;
    return { commit: main, isNew: false, summary, ...told };
  }
  const summary =
    changes.length === 0 && main !== undefined ? 'Join two histories' : summaryOf(changes, main === undefined);
  const parents = [main, other].flatMap((parent) => (parent === undefined ? [] : ['-p', parent]));
  const commit = await scratch.ask(['commit-tree', request.tree, ...parents], {
    env: authorOf(request.at),
    input: messageOf(request, summary, main === undefined ? '' : listOf(changes)),
  });
  await scratch.ask(['update-ref', MAIN, commit]);
  return { commit, isNew: true, summary, ...told };
}

function messageOf({ snapshotId, component, host, opened }: CommitRequest, summary: string, list: string): string {
  const trailers = [`Snapshot: ${snapshotId}`, `Component: ${component}`, `Host: ${host}`].join('\n');
  const anew =
    opened.begunAnew === undefined ? '' : 'Older history could not be read and is in the bundles of older snapshots.';
  return `${[summary, list, anew, trailers].filter((part) => part !== '').join('\n\n')}\n`;
}

/** The same capture makes the same commit, whoever runs it and where. */
function authorOf(at: Date): Record<string, string> {
  const date = `${Math.floor(at.getTime() / 1000)} +0000`;
  const [name, email] = ['Holdfast', 'holdfast@invalid'];
  return {
    GIT_AUTHOR_NAME: name,
    GIT_AUTHOR_EMAIL: email,
    GIT_AUTHOR_DATE: date,
    GIT_COMMITTER_NAME: name,
    GIT_COMMITTER_EMAIL: email,
    GIT_COMMITTER_DATE: date,
  };
}
