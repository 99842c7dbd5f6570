// The peers that a later Debian suite has, in the versions that the bench is written for.
import { ensureFromDebian } from '../../scripts/set-up/later-debian.mjs';

const ask = ['version'];
const wanted = {
  folder: 'bench-debian',
  suites: ['forky', 'trixie', 'sid'],
  packages: { restic: '0.19.1', pgbackrest: '2.60' },
  programs: { restic: { ask, version: '0.19.1' }, pgbackrest: { ask, version: '2.60' } },
};

/** @param {(text: string) => void} note */
export function ensureLaterDebian(note) {
  return ensureFromDebian(wanted, note);
}
