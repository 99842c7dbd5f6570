// The vault and the worker of a sandbox: set up and started as a user would.

import { run } from '../process/index.ts';
import { placeOf } from './part.ts';
import type { Sandbox, SandboxRecord } from './state.ts';
import { holdfastProgram, startWorker } from './worker.ts';

/** Can be repeated: what is there stays. */
export async function setUpVault(
  { configuration }: Pick<Sandbox, 'configuration'>,
  onProgress: (text: string) => void,
): Promise<void> {
  await run(holdfastProgram(), ['setup', '-c', configuration, '--yes'], { deadlineMs: 300_000 });
  onProgress('the vault is set up on three copies');
}

export async function startWorkerOf(record: SandboxRecord, onProgress: (text: string) => void): Promise<void> {
  const { configuration, temporal } = record.current as Sandbox;
  await startWorker({ ...(await placeOf(record, 'worker')), configuration, address: temporal.address });
  onProgress('the worker listens');
}
