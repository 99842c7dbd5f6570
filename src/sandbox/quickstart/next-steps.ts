// What a person can try while the quickstart stays up: commands that work as they are printed.

import path from 'node:path';
import { quoted, typable } from './shell.ts';

/** Lines for a terminal; `dir` is that of the sandbox, `run` the restore in place that was done. */
export function nextSteps(dir: string, run: string): string[] {
  const clone = path.join(dir, 'postgres', 'clone');
  const suggestions: readonly (readonly [string[], string])[] = [
    [['status'], 'what could be recovered, to which moment, from where'],
    [['show', run], 'the recovery, step by step'],
    [
      ['restore', 'database', 'main', '--to', 'latest', '--beside', clone, '--start'],
      'a second server at the latest moment',
    ],
    [['files', 'find', path.join(dir, 'statements', '2026', '03', 'account-7.txt')], 'in which snapshots a file is'],
    [['confirm', 'files/statements'], 'keep the statements that came back'],
    [['confirm', run], 'keep what was recovered, and remove the old data'],
    [['rollback', run], 'or the other way: back to the data as it was when the recovery began'],
  ];
  return [
    '\nto try next, in another terminal:',
    `  export HOLDFAST_CONFIG=${quoted(path.join(dir, 'holdfast.yaml'))}`,
    ...suggestions.flatMap(([args, why]) => [`  ${typable(...args)}`, `      ${why}`]),
    '  until one of the last two was done, another restore in place is refused',
  ];
}
