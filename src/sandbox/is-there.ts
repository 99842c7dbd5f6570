// Whether there is anything of a name: false only where the file system says so.

import { stat } from 'node:fs/promises';

export async function isThere(place: string): Promise<boolean> {
  try {
    await stat(place);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}
