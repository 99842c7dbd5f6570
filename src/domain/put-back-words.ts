// A copy that was put back, and a number that was given twice, in words: what happened, what is done about it, and what it stops.

import { HoldfastError } from '../errors/index.ts';
import type { Finding } from './component-report.ts';
import type { HeadsReport } from './copies-report.ts';
import type { Fork, Head, PutBack } from './heads.ts';

/** `late`: until it has everything again or the loss is accepted. */
export function headFindings({ putBack, forks }: Pick<HeadsReport, 'putBack' | 'forks'>): Finding[] {
  return [...putBack.map(putBackFinding), ...forks.map(forkFinding)];
}

/** `warning` as long as the copies are apart; then all have both, and it stays to be known. */
export function forkFinding({ component, sequence, ids, copies, apart }: Fork): Finding {
  const given = ids.map((id) => `to ${id} (on ${copies[id]?.join(', ')})`).join(' and ');
  const [first] = apart;
  const together =
    first === undefined
      ? 'every copy has both, and each can be restored'
      : `${apart.map((copy) => `\`holdfast copies catch-up ${copy}\``).join(', ')} brings both to every copy, and each can be restored`;
  return {
    severity: first === undefined ? 'hint' : 'warning',
    message: `number ${sequence} of ${component} was given ${ids.length} times, ${given}: two writers did not see each other, or a copy was put back and written on`,
    hint: `${together}; see to it that one host alone backs up ${component}, and that nobody puts a copy back; \`holdfast test integrity ${component}\` tells whether both are whole`,
  };
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
