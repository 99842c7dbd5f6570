// Ends the process of a test file of which a test has timed out: what hangs in it would hold up the whole run, for as long as it likes.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Its hooks get this long to stop what it has started. */
const hooksMs = 2 * 60_000;

/** `file`: as the runner gave it to its child. @returns {Promise<number[]>} processes that were ended */
export async function endHungFile(file, graceMs = hooksMs) {
  const hung = await childrenWith(file);
  await sleep(graceMs, undefined, { ref: false });
  const left = (await childrenWith(file)).filter((pid) => hung.includes(pid));
  for (const pid of left) process.kill(pid, 'SIGKILL');
  return left;
}

async function childrenWith(file) {
  const found = [];
  for (const task of await readdir('/proc/self/task')) {
    const children = await readFile(`/proc/self/task/${task}/children`, 'utf8').catch(() => '');
    for (const pid of children.split(' ').filter(Boolean).map(Number)) {
      const words = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
      if (words.split('\0').some((word) => path.resolve(word) === path.resolve(file))) found.push(pid);
    }
  }
  return found;
}
