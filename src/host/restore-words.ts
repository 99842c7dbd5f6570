// How a restore ended, in words; the same whether a workflow or a person with the journal ended it.

import type { ConfirmResult, RollbackResult } from '../postgres/recovery/index.ts';

export function rollbackWords(run: string, { dataDirectory, setAsideAt, started }: RollbackResult): string {
  const aside = setAsideAt === undefined ? '' : `; what was recovered is kept in ${setAsideAt}`;
  const server = started ? ', and its server runs' : '';
  return `the data from before ${run} is back in ${dataDirectory}${server}${aside}`;
}

export function confirmWords(run: string, { removed }: ConfirmResult): string {
  return `${run} is confirmed: ${removed === undefined ? 'there was no old data to remove' : `${removed} was removed`}`;
}
