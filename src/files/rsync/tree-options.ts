// How rsync copies trees here: everything that it knows of an entry, by whole paths, and what is gone goes last.

export interface TreeOptions {
  readonly oneFileSystem: boolean;
  /** Default no limit. */
  readonly bytesPerSecond?: number;
}

export function treeOptions({ oneFileSystem, bytesPerSecond }: TreeOptions): string[] {
  return [
    ...['--archive', '--hard-links', '--acls', '--xattrs', '--sparse', '--numeric-ids'],
    // Without this, times of one second are the same time: a file that changed within it would be passed over.
    '--modify-window=-1',
    // Directories above a root are nobody's entries.
    ...['--relative', '--no-implied-dirs'],
    // By rsync not at all when something could not be read.
    '--delete-after',
    ...['--stats', '--no-human-readable'],
    ...(oneFileSystem ? ['--one-file-system'] : []),
    ...(bytesPerSecond === undefined ? [] : [`--bwlimit=${Math.max(1, Math.ceil(bytesPerSecond / 1024))}K`]),
  ];
}
