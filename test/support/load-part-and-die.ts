// A process for tests: loads a table that was taken out before, until somebody kills it. Argument: JSON of url, database, expected, carry, extracted.

import { loadApart } from '../../src/postgres/logical/table/index.ts';
import { findTools } from '../../src/postgres/tools.ts';
import { component } from './recovery-source.ts';

const { url, database, expected, carry, extracted } = JSON.parse(process.argv[2] ?? '{}');
const { signal } = new AbortController();
await loadApart(
  { component, url, database },
  expected,
  await findTools(expected.major),
  { ...carry, signal },
  extracted,
);
process.stdout.write('finished\n');
