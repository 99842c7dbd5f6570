// Tells a process for tests of each line of a journal, once that is on the disk.

import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** Before what is watched is loaded. A line is on the disk when its file was synced. */
export function watchJournal(
  isJournal: (file: string, flags: unknown) => boolean,
  onLine: (file: string) => void | Promise<void>,
): void {
  const { open } = files;
  files.open = async (...args: Parameters<typeof open>) => {
    const handle = await open(...args);
    const file = String(args[0]);
    if (!isJournal(file, args[1])) return handle;
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      await sync();
      await onLine(file);
    };
    return handle;
  };
  syncBuiltinESMExports();
}

/** Of a restore in place of files or of Redis. */
export const isAppended = (file: string, flags: unknown) => file.endsWith('/journal.jsonl') && flags === 'a+';
