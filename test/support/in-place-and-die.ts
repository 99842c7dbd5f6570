// A process for tests: restores a root in place, rolls it back or confirms it, and is killed at a step, at a line of the journal, or while it stages. Argument: JSON. Prints how many steps and lines there were.

import type { SnapshotId } from '../../src/vault/index.ts';
import { openFileVault } from './open-vault.ts';
import { isAppended, watchJournal } from './watched-journal.ts';
import { forgetNewSystemCalls } from './without-system-calls.ts';

export interface DyingRun {
  readonly keyFile: string;
  readonly copy: string;
  readonly id: SnapshotId;
  readonly root: string;
  readonly run: string;
  readonly action: 'restore' | 'rollback' | 'confirm';
  /** Without the system calls of newer kernels. */
  readonly isOld?: boolean;
  readonly at?: { readonly step?: number; readonly line?: number; readonly isStaging?: boolean };
}

const asked = JSON.parse(process.argv[2] ?? '{}') as DyingRun;
const { keyFile, copy, id, root, run, action, at = {} } = asked;
const counts = { steps: 0, lines: 0 };
const die = () => process.kill(process.pid, 'SIGKILL');

watchJournal(isAppended, () => {
  if (++counts.lines === at.line) die();
});
if (asked.isOld) forgetNewSystemCalls();

const { confirmInPlace, restoreInPlace, rollbackInPlace } = await import('../../src/files/index.ts');
const check = async () => {
  if (++counts.steps === at.step) die();
};

const guard = { check, checkEveryMs: 0 };

if (action === 'restore') {
  const vault = await openFileVault({ keyFile, copies: [{ name: 'local', path: copy, offsite: false }] });
  const reader = await vault.openSnapshot(id);
  const onProgress = () => {
    if (at.isStaging) die();
  };
  const rules = { exclude: [], oneFileSystem: true, cacheTags: true };
  const signal = new AbortController().signal;
  await restoreInPlace({ reader, root, run, rules, signal, guard, onProgress });
  reader.close();
} else await (action === 'confirm' ? confirmInPlace : rollbackInPlace)({ root, run, guard });
process.stdout.write(`${JSON.stringify(counts)}\n`);
process.exit(0);
