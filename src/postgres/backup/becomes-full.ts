// Why an incremental capture cannot be one: not an error of the backup, which is taken in full instead and says so.

import { TakenOtherwise } from './otherwise.ts';

/** Ends an attempt to capture incrementally. `message` completes "taken in full, because …". */
export class BecomesFull extends TakenOtherwise {
  override readonly name = 'BecomesFull';
  override readonly obstacle = 'incremental';
}

export function becomesFull(because: string): never {
  throw new BecomesFull(because);
}
