// Whether a restore is replacing the data of a database, by the journal beside it: the truth for every process, also one without Temporal.

import { type JournalState, journalStates } from '../postgres/recovery/index.ts';

export class RestoreWatch {
  /** A restore is replacing the data: only it may say that log is lost. */
  isSwapping = false;
  /** It is past the last log of the old server: whatever answers now is not to be followed yet. */
  isApart = false;
  readonly #dataDirectory: string | undefined;

  constructor(dataDirectory: string | undefined) {
    this.#dataDirectory = dataDirectory;
  }

  /** Another process may finish or roll back a restore (a person with the journal). Throws when the journal cannot be read. */
  async read(): Promise<void> {
    if (this.#dataDirectory === undefined) return;
    const states = await journalStates(this.#dataDirectory);
    const open = states.filter(({ phase }) => phase === 'swapping' || phase === 'rolling back');
    this.isSwapping = open.length > 0;
    this.isApart = open.some((state) => !isShipping(state));
  }
}

/** Up to here a swap needs the receiver: a server that stops waits for it, and its last log must reach the copies. */
const shippingSteps = ['swap', 'close recovered', 'stop production'];

function isShipping({ phase, lastStep: { step, state } }: JournalState): boolean {
  return phase === 'swapping' && (shippingSteps.includes(step) || (step === 'ship log' && state === 'begin'));
}
