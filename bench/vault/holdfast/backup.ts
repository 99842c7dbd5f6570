// One snapshot of the source, as the product takes it.

import { randomBytes } from 'node:crypto';
import { fail } from '../../../src/errors/index.ts';
import { captureFiles, FILES, type FilesDetails } from '../../../src/files/index.ts';
import type { SnapshotId } from '../../../src/vault/index.ts';
import { COMPONENT, type Operation, withVault } from './operation.ts';

export const backup: Operation = (places) =>
  withVault(places, async (vault) => {
    const stamp = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
    const snapshotId = `${stamp}-${randomBytes(4).toString('hex')}` as SnapshotId;
    const { engine } = await captureFiles({
      vault,
      source: { roots: [places.source], rules: { exclude: [], oneFileSystem: true, cacheTags: true } },
      request: { snapshotId, component: COMPONENT, class: FILES, host: 'bench' },
      signal: new AbortController().signal,
    });
    const { unseen, vanished, torn } = engine as unknown as FilesDetails;
    const lost = unseen.count + vanished.count + torn.count;
    if (lost > 0) fail('CHECK_FAILED', `${lost} files are not in the snapshot as they are`);
  });
