// A copy that was put back, in words: what was lost, what is done about it, and what it stops.

import { HoldfastError } from '../errors/index.ts';
import type { Finding } from './client.ts';
import type { HeadsReport } from './copies-report.ts';
import type { Head, PutBack } from './heads.ts';

/** `late`: until it has everything again or the loss is accepted. */
export function headFindings({ putBack, forks }: Pick<HeadsReport, 'putBack' | 'forks'>): Finding[] {
  return [
    ...putBack.map(putBackFinding),
    ...forks.map(({ component, sequence, ids }) => ({
      severity: 'hint' as const,
      message: `number ${sequence} of ${component} occurs ${ids.length} times (${ids.join(', ')}): copies were parted while each was written to`,
      hint: 'each of these snapshots is whole and can be restored; nothing has to be done',
    })),
  ];
}

/** The reason not to delete anything; `undefined` when there is none. */
export function deletionDoubt({ putBack, memory }: HeadsReport): HoldfastError | undefined {
  if (memory.state === 'unknown' && memory.error !== undefined) {
    return new HoldfastError('RETENTION_DOUBT', `whether a copy was put back is not known: ${memory.error.message}`, {
      hint: memory.error.hint,
    });
  }
  const open = putBack.find(({ state }) => state === 'open');
  if (open === undefined) return undefined;
  const { message, hint } = putBackFinding(open);
  return new HoldfastError('RETENTION_DOUBT', `${message}: nothing is deleted until that is explained`, { hint });
}

export function putBackFinding({ copy, component, lost, shown, noticedAt, state, gone }: PutBack): Finding {
  const showed = shown === undefined ? 'nothing' : `snapshots up to ${named(shown)}`;
  const what = `copy ${copy} was put back: at ${noticedAt} it showed ${showed} of ${component}, after this host had seen ${named(lost)} there`;
  const accept = `when that was meant, \`holdfast copies accept ${copy}\``;
  if (state === 'repaired') {
    return {
      severity: 'warning',
      message: `${what}; it has that again`,
      hint: `find out who put it back; ${accept}`,
    };
  }
  if (gone.length === 0) {
    return {
      severity: 'late',
      message: what,
      hint: `\`holdfast copies catch-up ${copy}\` brings back what the others have; find out who put it back; ${accept}`,
    };
  }
  return {
    severity: 'late',
    message: `${what}; on no copy any more: ${gone.join(', ')}`,
    hint: `bring the newer state of a copy back if there is one; no copy has what is gone; ${accept}`,
  };
}

function named({ sequence, id }: Head): string {
  return `${id} (number ${sequence})`;
}
