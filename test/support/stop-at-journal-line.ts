// Loaded before the worker (`--import`): when the n-th line of a step's kind is on the disk, the process gets a signal at that very instant.

import { readFile } from 'node:fs/promises';
import { watchJournal } from './watched-journal.ts';

/** `swap 4 SIGKILL`: at the fourth line counted from the first of step `swap`. */
const [step = '', line = '', signal = ''] = (process.env.STOP_AT_JOURNAL_LINE ?? '').split(' ');

watchJournal(
  (file) => step !== '' && /\.holdfast\/journal\/[^/]+\.jsonl$/.test(file),
  async (file) => {
    const lines = (await readFile(file, 'utf8')).split('\n').slice(0, -1);
    const first = lines.findIndex((text) => text.includes(`"step":"${step}"`));
    if (first >= 0 && lines.length - first === Number(line)) process.kill(process.pid, signal as NodeJS.Signals);
  },
);
