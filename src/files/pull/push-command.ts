// The command that brings a tree back to the host that it was pulled from: a person looks at what it would do before it does it.

import { shellWord } from '../../domain/shell-word.ts';
import type { Selection } from '../restore/select.ts';
import { type RemoteHost, sshWords } from '../rsync/remote.ts';

export interface GivenBack {
  /** Absolute: where the tree was given back, by its whole paths. */
  readonly directory: string;
  readonly roots: readonly string[];
  readonly selection: Selection;
}

/**
 * For a shell. Shows only what it would do, until `--dry-run` is taken out. Deletes nothing: what rules left out was never captured, and is not to be
 * taken away because it is not here.
 */
export function pushCommand(remote: RemoteHost, { directory, roots, selection }: GivenBack): string {
  const { ssh, rsync } = remote;
  const { paths = [], patterns = [] } = selection;
  const sources = patterns.length === 0 && paths.length > 0 ? paths : roots;
  const shell = sshWords(remote)
    .map((word) => (/\s/.test(word) ? `"${word}"` : word))
    .join(' ');
  const words = [
    ...['rsync', '-aHAXS', '--numeric-ids', '--modify-window=-1', '--relative', '--no-implied-dirs'],
    ...['--dry-run', '--itemize-changes', `--rsh=${shell}`],
    ...(rsync === undefined ? [] : [`--rsync-path=${rsync}`]),
    // What stands behind the dot is what rsync takes along of a path.
    ...sources.map((source) => `${directory}/.${source}`),
    `${ssh}:/`,
  ];
  return words.map((word) => shellWord(word)).join(' ');
}
