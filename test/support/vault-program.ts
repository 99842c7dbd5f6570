// A process of its own at a test's vault: DIRECTORY takes COMPONENT FIRST COUNT | retains | catches-up COPY; waits for a line on stdin, so that several begin at once.

import { join } from 'node:path';
import { momentFromDate } from '../../src/domain/moment.ts';
import type { Vault } from '../../src/vault/index.ts';
import { openFileVault } from './open-vault.ts';
import { idAt } from './retention.ts';
import { seededBytes, takeSnapshot } from './vault.ts';

const [directory = '', what = '', ...args] = process.argv.slice(2);
export const RACING_COPIES = ['local', 'eu', 'us'];

const doings: Record<string, (vault: Vault) => Promise<void>> = {
  async takes(vault) {
    const [component = '', first = '', count = ''] = args;
    for (let number = Number(first); number < Number(first) + Number(count); number++) {
      const now = momentFromDate(new Date());
      const changes = { id: idAt(now, number), component: component as never, from: now, kind: 'files' } as const;
      await takeSnapshot(vault, racingFiles(number), number, changes, now);
    }
  },
  async retains(vault) {
    const policies = [{ component: 'database/main', rules: { full: { ageSeconds: 86_400 } } }] as const;
    for (let round = 0; round < 4; round++) {
      const request = {
        ...{ run: `retention-${round}`, by: 'test', policies, timezone: 'UTC', graceSeconds: 3600 },
        ...{ maximum: { share: 1, snapshots: 1000 }, proofs: {}, passing: [] },
      };
      const { refused } = await vault.retention.sweep(request);
      const marked = await vault.retention.mark(request);
      process.stdout.write(`${JSON.stringify([...refused, ...marked.refused])}\n`);
    }
  },
  async 'catches-up'(vault) {
    for (let round = 0; round < 4; round++) await vault.catchUp(args[0] as string);
  },
};

/** Part is the same in all, so that writers share chunks. */
export function racingFiles(number: number) {
  return { 'base/1': seededBytes('the same', 130_000), 'base/2': seededBytes(`own ${number}`, 70_000) };
}

if (directory !== '') {
  const copies = RACING_COPIES.map((name, number) => ({ name, path: join(directory, name), offsite: number > 0 }));
  const vault = await openFileVault({ keyFile: join(directory, 'vault.key'), copies });
  process.stdout.write('ready\n');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  await doings[what]?.(vault);
  process.exit(0);
}
