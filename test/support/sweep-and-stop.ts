// A process that sweeps a test's vault and stops itself with SIGSTOP at one call: JSON with its parts; says `ended CODE` at its end.

import { writeSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { momentFromDate } from '../../src/domain/moment.ts';
import { addSeconds } from '../../src/domain/retention.ts';
import { toHoldfastError } from '../../src/errors/index.ts';
import { FileStore } from '../../src/stores/file-store.ts';
import { S3Store } from '../../src/stores/s3-store.ts';
import type { Store } from '../../src/stores/store.ts';
import { type CopyDescription, openVault, type RetentionRequest } from '../../src/vault/index.ts';

/** The call at which it stands still: right before a manifest is deleted, or before it is written down that this begins. */
export type StopAt = 'delete' | 'begun';

export interface StoppingParts {
  readonly directory: string;
  readonly bucket: string;
  readonly s3: Record<'region' | 'endpoint' | 'accessKeyId' | 'secretAccessKey', string>;
  readonly at: StopAt;
  readonly run: string;
  /** Its clock is so far ahead. */
  readonly days: number;
  readonly rules: RetentionRequest['policies'][number]['rules'];
}

export const stoppingCopies = (parts: Pick<StoppingParts, 'directory' | 'bucket' | 's3'>) => {
  const { region, endpoint, accessKeyId, secretAccessKey } = parts.s3;
  const credentials = async () => ({ accessKeyId, secretAccessKey });
  return [
    new S3Store('eu', { bucket: parts.bucket, region, endpoint, credentials }),
    new FileStore('local', join(parts.directory, 'local')),
  ];
};

export const describeCopy = ({ name, location }: Store): CopyDescription => {
  return { name, site: 'home', medium: 'disk', offsite: name === 'eu', location };
};

export function sweepRequest(parts: Pick<StoppingParts, 'run' | 'days' | 'rules'>): RetentionRequest {
  return {
    ...{ run: parts.run, by: 'test', timezone: 'UTC', graceSeconds: 7 * 86_400, proofs: {}, passing: [] },
    policies: [{ component: 'database/main', rules: parts.rules }],
    maximum: { share: 1, snapshots: 1000 },
    now: () => addSeconds(momentFromDate(new Date()), parts.days * 86_400),
  };
}

function standStill(): void {
  writeSync(1, 'standing still\n');
  process.kill(process.pid, 'SIGSTOP');
}

/** What is called after it woke up is called as if it had been on its way already: no deadline stops it. */
function stopping(store: Store, at: StopAt): Store {
  let hasStopped = store.name !== 'eu';
  return new Proxy(store, {
    get(target, property) {
      const value = Reflect.get(target, property, target) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        const isDelete = at === 'delete' && property === 'delete' && String(args[0]).includes('/snapshots/');
        const isBegun = at === 'begun' && property === 'put' && String(args[0]).includes('/begun.');
        if (hasStopped || !(isDelete || isBegun)) return value.apply(target, args);
        hasStopped = true;
        standStill();
        return isDelete ? target.delete(args[0] as string[]) : target.put(String(args[0]), args[1] as Buffer);
      };
    },
  });
}

const [json] = process.argv.slice(2);
if (json !== undefined && import.meta.main) {
  const parts = JSON.parse(json) as StoppingParts;
  const vault = await openVault({
    ...{ estate: 'acme', policy: { copies: 1, offsite: 0 }, host: 'db1', logger: pino({ level: 'silent' }) },
    copies: stoppingCopies(parts).map((store) => ({
      description: describeCopy(store),
      store: stopping(store, parts.at),
    })),
    keys: [{ name: 'host', kind: 'file', path: join(parts.directory, 'vault.key') }],
  });
  const code = await vault.retention.sweep(sweepRequest(parts)).then(
    () => 'well',
    (error: unknown) => toHoldfastError(error).code,
  );
  writeSync(1, `ended ${code}\n`);
  process.exit(0);
}
