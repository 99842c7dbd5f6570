// Makes docs/errors.md from the catalogue of errors.

import { type CatalogueEntry, catalogue, exitCodes } from '../../src/errors/catalogue.ts';

const exitMeanings: Readonly<Record<number, string>> = {
  [exitCodes.failed]: 'failed',
  [exitCodes.usage]: 'wrong use or configuration',
  [exitCodes.refused]: 'refused before anything was touched',
  [exitCodes.found]: 'found what should not be',
  [exitCodes.stuck]: 'stuck',
  [exitCodes.rolledBack]: 'rolled back',
};

export function renderErrors(): string {
  const rows = Object.entries(catalogue).map(([code, entry]: [string, CatalogueEntry]) => {
    const exit = `${entry.exit} ${exitMeanings[entry.exit]}`;
    return `| \`${code}\` | ${entry.meaning} | ${exit} | ${entry.retryable ? 'yes' : 'no'} | ${entry.hint} |`;
  });
  return [
    '# Errors',
    '',
    '<!-- Made by `node scripts/docs.mjs` from src/errors/catalogue.ts; a test holds both together. -->',
    '',
    'Every error has one of these codes, in text (`error: … (CODE)`), in `--json` (`error.code`) and as the type of a failure in the Temporal UI. The list is',
    'closed; codes are only ever added. *Again* says whether the same call may succeed later without anybody changing anything: activities are then tried again.',
    'The hint is what is said when the place that found the error knows nothing better.',
    '',
    '| code | what happened | exit status | again | what to try |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}
