// What is asked of a sandbox that is there, and was settled when it was made: refused where it would be another sandbox, told where it changes nothing.

import { fail } from '../errors/index.ts';
import { isThere } from './is-there.ts';
import type { Sandbox } from './state.ts';
import { statementsDirectory } from './statements.ts';

export interface Asked {
  readonly postgres?: number;
  readonly worker?: boolean;
  readonly files?: boolean;
  readonly onProgress?: (text: string) => void;
}

/** Throws `USAGE` for another major version of PostgreSQL. */
export async function settleAsked(sandbox: Sandbox, asked: Asked): Promise<void> {
  const { directory, postgres, state, pids } = sandbox;
  if (asked.postgres !== undefined && asked.postgres !== postgres.major) {
    fail('USAGE', `the sandbox in '${directory}' has PostgreSQL ${postgres.major}, not ${asked.postgres}`, {
      hint: "leave '--postgres' out, or start another sandbox in a directory of its own",
    });
  }
  if (asked.files === true && !(await isThere(statementsDirectory(directory))))
    asked.onProgress?.('no folder of files is protected: that is settled when a sandbox is made');
  if (asked.worker === false && state === 'ready' && pids.worker !== undefined)
    asked.onProgress?.('the worker stays: it ends with the sandbox');
}
