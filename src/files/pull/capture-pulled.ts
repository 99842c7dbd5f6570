// A snapshot of files of a host without a worker: pulled, then captured from here as what it is there.

import type { SnapshotOnCopies } from '../../vault/index.ts';
import { type CaptureFilesOptions, captureFiles } from '../capture/capture.ts';
import { uncovered, uncoveredAttributes } from './fake-super.ts';
import { type Pulled, type PullOptions, withPulled } from './pull.ts';

export interface CapturePulledOptions extends Omit<CaptureFilesOptions, 'pulled'> {
  readonly pull: Omit<PullOptions, 'roots' | 'oneFileSystem' | 'signal'>;
  readonly onPulled?: (done: Pulled['done']) => void;
}

const reading = { found: uncovered, attributes: uncoveredAttributes } as const;

/** Throws as `captureFiles` and `withPulled` do; nothing is committed then. */
export async function capturePulled(options: CapturePulledOptions): Promise<SnapshotOnCopies> {
  const { pull, onPulled, ...capture } = options;
  const { vault, request, source } = capture;
  const earlier = await vault.completeSnapshot(request.component, request.snapshotId);
  if (earlier !== undefined) return earlier;
  const startedAt = new Date();
  const { oneFileSystem } = source.rules;
  return await withPulled(
    { ...pull, roots: source.roots, oneFileSystem, signal: capture.signal },
    async ({ base, done }, signal) => {
      onPulled?.(done);
      // Mounts are the other host's business; what lies here is one tree of ours.
      const pulled = { base, startedAt, reading, host: pull.remote.ssh };
      return await captureFiles({ ...capture, pulled, signal });
    },
  );
}
