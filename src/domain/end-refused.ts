// What is said to a word that comes after the other one: a restore in place that was rolled back is not confirmed, and one that was confirmed has no way back.

import { fail } from '../errors/index.ts';
import type { ComponentId } from './component.ts';
import type { JournalPhase } from './standalone.ts';

export interface AskedEnd {
  readonly run: string;
  /** Absent where the journal does not tell. */
  readonly component?: ComponentId;
  readonly phase: JournalPhase;
  /** Of its journal's last line. */
  readonly at?: string;
}

const stateOf = ({ run, phase, at }: AskedEnd) => `'${run}' is ${phase}${at === undefined ? '' : ` since ${at}`}`;

const another = ({ component }: AskedEnd) =>
  component === undefined ? '' : `; \`holdfast list ${component}\` shows what another restore can give`;

/** Throws `JOURNAL_STATE` when it was rolled back, or that was begun, and when it has not come to its end. */
export function requireConfirmable(asked: AskedEnd): void {
  const { phase, run } = asked;
  if (phase === 'rolled back' || phase === 'abandoned') {
    fail('JOURNAL_STATE', `${stateOf(asked)}: there is nothing to confirm`, {
      hint: `what was there before is in place, and needs no word${another(asked)}`,
    });
  }
  if (phase === 'rolling back') {
    fail('JOURNAL_STATE', `${stateOf(asked)}: it cannot be confirmed any more`, {
      hint: `\`holdfast rollback ${run}\` ends the rollback`,
    });
  }
  if (phase === 'preparing' || phase === 'swapping') {
    fail('JOURNAL_STATE', `${stateOf(asked)}: only what has come to its end can be confirmed`, {
      hint: `\`holdfast show ${run}\` tells whether it goes on; \`holdfast rollback ${run}\` brings back what was there before`,
    });
  }
}

/** Throws `JOURNAL_STATE` when it was confirmed, or that was begun. */
export function requireWayBack(asked: AskedEnd): void {
  const { phase, run } = asked;
  if (phase === 'confirmed') {
    fail('JOURNAL_STATE', `${stateOf(asked)}: what was there before is gone`, {
      hint: `what the restore gave is in place, and needs no word${another(asked)}`,
    });
  }
  if (phase === 'confirming') {
    fail('JOURNAL_STATE', `${stateOf(asked)}: what was there before is being removed`, {
      hint: `\`holdfast confirm ${run}\` ends the confirmation`,
    });
  }
}
