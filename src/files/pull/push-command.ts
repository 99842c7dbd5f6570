// The command that brings a tree back to the host that it was pulled from: a person looks at what it would do before it does it.

import { type RemoteHost, sshWords } from '../rsync/remote.ts';

/** For a shell. `directory`: where the tree was given back, by its whole paths. Shows only what it would do, until `--dry-run` is taken out. */
export function pushCommand(remote: RemoteHost, directory: string, roots: readonly string[]): string {
  const { ssh, rsync } = remote;
  const shell = sshWords(remote)
    .map((word) => (/\s/.test(word) ? `"${word}"` : word))
    .join(' ');
  const words = [
    ...['rsync', '-aHAXS', '--numeric-ids', '--modify-window=-1', '--relative', '--no-implied-dirs'],
    ...['--delete-after', '--dry-run', '--itemize-changes', `--rsh=${shell}`],
    ...(rsync === undefined ? [] : [`--rsync-path=${rsync}`]),
    // What stands behind the dot is what rsync takes along of a path.
    ...roots.map((root) => `${directory}/.${root}`),
    `${ssh}:/`,
  ];
  return words.map((word) => quoted(word)).join(' ');
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_/.:@=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
