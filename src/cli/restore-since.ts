// What became of a restore after its run: ended by another one, or its server stopped. What cannot be known is not said.

import { type Configuration, componentsOf } from '../../config/index.ts';
import type { ComponentId } from '../domain/component.ts';
import type { RunStatus } from '../domain/operations.ts';
import { endOf, hasServer, isBeside, isRestore } from '../domain/restore-runs.ts';
import type { Context } from './context.ts';
import { answerFrom } from './estate-answers.ts';
import type { Result } from './result.ts';

type Since = Pick<Result, 'endedBy' | 'isServing'>;

/** Never throws: the run itself is told all the same. */
export async function restoreSince(context: Context, configuration: Configuration, status: RunStatus): Promise<Since> {
  const component = componentsOf(configuration).find(({ id }) => id === status.component)?.id;
  if (component === undefined) return {};
  try {
    if (mayHaveBeenEnded(status)) return await endedSince(context, component, status);
    if (hasServer(status)) return await servingStill(context, component, status);
  } catch {
    // Neither Temporal nor the vault answers.
  }
  return {};
}

/** One that is stuck, or was ended from outside, may have been rolled back by its journal. */
function mayHaveBeenEnded(status: RunStatus): boolean {
  return isRestore(status) && !isBeside(status) && ['completed', 'stuck', 'failed'].includes(status.state);
}

async function endedSince(context: Context, component: ComponentId, { run }: RunStatus): Promise<Since> {
  const { value: runs } = await answerFrom(
    context,
    (client) => client.history(component),
    (host) => host.history(component),
  );
  const endedBy = endOf(run, runs);
  return endedBy === undefined ? {} : { endedBy };
}

/** Only the host of the component can look, and it knows whose servers to look for by the records of runs. */
async function servingStill(context: Context, component: ComponentId, { run, data }: RunStatus): Promise<Since> {
  const { value: components } = await answerFrom(
    context,
    (client) => client.components(),
    (host) => host.components(),
  );
  const found = components.find((each) => each.component === component);
  if (found?.restores?.some((each) => each.run === run && each.state === 'serving')) return { isServing: true };
  const isKnown =
    found?.restores !== undefined && found.restoresUnknown === undefined && data?.recordError === undefined;
  return isKnown ? { isServing: false } : {};
}
