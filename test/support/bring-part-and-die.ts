// A process for tests: replaces the rows of a table by those of a recovered server, from a given step on, until somebody kills it; the last step removes that server.
// Argument: JSON of plan, url, database, copy, expected, carry, table, and of the steps before it what they gave. Each step is told when it begins and with what it gave.

import {
  comparing,
  type Extracted,
  extractApart,
  loadApart,
  onProduction,
  replaceRows,
  setApart,
} from '../../src/postgres/logical/table/index.ts';
import { abandon, recoveredSource } from '../../src/postgres/recovery/index.ts';
import { findTools } from '../../src/postgres/tools.ts';
import { guard } from './recovery-run.ts';
import { component } from './recovery-source.ts';

const {
  plan,
  url,
  database,
  copy,
  expected,
  carry: given,
  table,
  from,
  extracted: before,
} = JSON.parse(process.argv[2] ?? '{}');
const { signal } = new AbortController();
const carry = { ...given, signal };
const target = { component, url, database } as const;
const tools = await findTools(expected.major);
let extracted = before as Extracted;

const steps: Readonly<Record<string, () => Promise<unknown>>> = {
  extract: async () => {
    const own = await recoveredSource(plan, copy);
    const apart = { run: carry.run, table, as: table.table, moment: 'then' };
    const { columns } = await comparing(own, (plain) => setApart(plain, apart));
    const taken = { columns: columns.map(({ name }) => name), extent: 'only rows' } as const;
    extracted = await extractApart(own, tools, carry, taken);
    return extracted;
  },
  load: () => loadApart(target, expected, tools, carry, extracted),
  place: () =>
    onProduction(target, expected, (plain) =>
      replaceRows(plain, { run: carry.run, table, about: 'by those of then', extracted, signal }),
    ),
  'tidy up': () => abandon(plan.place.dataDirectory, plan.run, guard),
};

for (const [name, work] of Object.entries(steps).slice(Object.keys(steps).indexOf(from))) {
  process.stdout.write(`${JSON.stringify({ begin: name })}\n`);
  const gave = await work();
  process.stdout.write(`${JSON.stringify({ done: name, gave })}\n`);
}
