// From what a person typed to one run: a run's id as it is, a component as its latest run that fits the command.

import { type ComponentSettings, type Configuration, componentsOf } from '../../config/index.ts';
import type { RunStatus } from '../domain/operations.ts';
import { type ErrorData, fail, HoldfastError } from '../errors/index.ts';
import type { Context } from './context.ts';
import { type Answer, answerFrom } from './estate-answers.ts';
import { readRunName } from './naming.ts';

/** Runs a command is about; without it the latest of any kind. */
export type Fits = (status: RunStatus) => boolean;

const ONLY_ENDED =
  'runs that are under way are known to Temporal alone: ask without `--standalone`; those that have ended are in `holdfast history --standalone`';

/** Throws `NOT_FOUND`. What Temporal has forgotten is looked up among the records in the vault. */
export async function findRun(
  context: Context,
  configuration: Configuration,
  words: readonly string[],
  fits: Fits = () => true,
  /** What fits, in words, for a component that has none. */
  what = 'run',
): Promise<Answer<RunStatus>> {
  const name = readRunName(configuration, words);
  const pick = (runs: readonly RunStatus[]) =>
    runs.find((run) => (name.type === 'id' ? run.run === name.id || run.workflowId === name.id : fits(run)));
  const component = name.type === 'component' ? name.component : undefined;
  const answer = await answerFrom(
    context,
    async (client) => (name.type === 'id' ? await client.status(name.id) : pick(await client.history(component))),
    async (host) => pick(await host.history(component)),
    // The vault knows only runs that have ended: an older one must not be taken for the latest.
    { mayAskBoth: false },
  );
  const { value, temporal } = answer;
  if (value === undefined) {
    if (temporal.error !== undefined)
      throw unknownRun(name.type === 'id' ? `'${name.id}'` : `a ${what}`, temporal.error);
    const message = name.type === 'id' ? `no such run: '${name.id}'` : `'${name.component}' has no ${what}`;
    return fail('NOT_FOUND', message, { hint: temporal.state === 'not asked' ? ONLY_ENDED : 'see `holdfast history`' });
  }
  return { ...answer, value };
}

/** The vault keeps runs that have ended: one that it does not know may be open. */
function unknownRun(run: string, { code, message, hint }: ErrorData): HoldfastError {
  return new HoldfastError(code, `the vault has no record of ${run}, and ${message}`, { hint });
}

/** The host whose queues a run's follow-up goes to. */
export function subjectOf(
  configuration: Configuration,
  status: Pick<RunStatus, 'run' | 'component'>,
): ComponentSettings {
  const found = componentsOf(configuration).find(({ id }) => id === status.component);
  return (
    found ??
    fail('UNKNOWN_COMPONENT', `'${status.run}' was about '${status.component}', which is not configured any more`)
  );
}
