// Loaded before the worker (`--import`): when the n-th line of a step's kind is on the disk, the process gets a signal at that very instant.

import files from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** `swap 4 SIGKILL`: at the fourth line counted from the first of step `swap`. */
const [step = '', line = '', signal = ''] = (process.env.STOP_AT_JOURNAL_LINE ?? '').split(' ');
const { open } = files;

async function openWatched(...args: Parameters<typeof open>): ReturnType<typeof open> {
  const handle = await open(...args);
  const file = String(args[0]);
  if (step === '' || !/\.holdfast\/journal\/[^/]+\.jsonl$/.test(file)) return handle;
  const sync = handle.sync.bind(handle);
  handle.sync = async () => {
    await sync();
    const lines = (await files.readFile(file, 'utf8')).split('\n').slice(0, -1);
    const first = lines.findIndex((text) => text.includes(`"step":"${step}"`));
    if (first >= 0 && lines.length - first === Number(line)) process.kill(process.pid, signal as NodeJS.Signals);
  };
  return handle;
}

files.open = openWatched;
syncBuiltinESMExports();
