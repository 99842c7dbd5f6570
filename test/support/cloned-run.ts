// Makes runs of their own from one recovered directory, as if each had been fetched and replayed: for tests that swap many times.

import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeDirectory } from '../../src/postgres/recovery/durable-files.ts';
import { pointLinks } from '../../src/postgres/recovery/linked-places.ts';
import { keptDirectory, restorePaths } from '../../src/postgres/recovery/paths.ts';
import type { LinkedPlace, RestorePlan } from '../../src/postgres/types.ts';
import { run } from '../../src/process/index.ts';

export async function clonedRun(template: RestorePlan, number: number): Promise<RestorePlan> {
  const { dataDirectory } = template.place;
  const name = `restore-${String(number).padStart(8, '0')}`;
  const paths = restorePaths(dataDirectory, name);
  const linked = (template.execution.linked ?? []).map((place) => renamed(place, name));
  const plan = {
    ...template,
    run: name,
    workDirectory: paths.work,
    place: { ...template.place, keepOldAt: keptDirectory(dataDirectory, String(number)) },
    execution: { ...template.execution, ...(linked.length > 0 ? { linked } : {}) },
  } as RestorePlan;
  await run('cp', ['-a', template.workDirectory, paths.work]);
  for (const [index, { work }] of linked.entries()) {
    await makeDirectory(path.dirname(work), 0o711);
    await run('cp', ['-a', template.execution.linked?.[index]?.work ?? '', work]);
  }
  await pointLinks(paths.data, linked, 'made');
  await writeFile(paths.plan, JSON.stringify(plan));
  return plan;
}

function renamed(place: LinkedPlace, run: string): LinkedPlace {
  const work = path.join(path.dirname(place.work), run);
  return { ...place, work, made: path.join(work, 'made'), kept: path.join(work, 'kept') };
}
