// Why files are not read at hand: not an error of the backup, which is taken by the stream of BASE_BACKUP instead and says so.

import { TakenOtherwise } from './otherwise.ts';

/** Ends an attempt to read files. `message` completes "taken by the stream, because …", with what mends it. */
export class BecomesStream extends TakenOtherwise {
  override readonly name = 'BecomesStream';
  override readonly obstacle = 'files';
  readonly because: string;
  /** SQL that mends it, where that is all. */
  readonly statement: string | undefined;

  constructor(because: string, statement?: string) {
    super(statement === undefined ? because : `${because}; run: ${statement}`);
    this.because = because;
    this.statement = statement;
  }
}

export function becomesStream(because: string, statement?: string): never {
  throw new BecomesStream(because, statement);
}
