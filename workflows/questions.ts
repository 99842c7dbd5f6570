// Questions that only a host with keys can answer, as small workflows that change nothing and keep no record.

import type { ComponentId } from '../src/domain/component.ts';
import type { ConfigurationDiffReport, ConfigurationDiffRequest } from '../src/domain/configuration-diff.ts';
import type { DiffFilesRequest, FilesDiff, FilesFound, FindFilesRequest } from '../src/domain/files-history.ts';
import type { FilesPlan } from '../src/domain/files-restore.ts';
import type { LoadPlan } from '../src/domain/load.ts';
import type {
  Asker,
  LoadDumpInput,
  RestoreDatabaseInput,
  RestoreFilesInput,
  RestorePartInput,
  RestoreRedisInput,
  RunReferenceInput,
} from '../src/domain/operations.ts';
import type { PartPlan } from '../src/domain/part.ts';
import type { PlanSummary } from '../src/domain/plan-summary.ts';
import type { RedisPlan } from '../src/domain/redis-restore.ts';
import type { StoppedServer } from '../src/domain/run-data.ts';
import type { CheckReport } from '../src/domain/setup-report.ts';
import { answer, answerWhileAsked } from './lib/answer.ts';

/** What `describeEstate` can be asked. */
export type Question = 'snapshots' | 'components' | 'copies' | 'history' | 'retention';

export interface DescribeEstateInput {
  readonly host: string;
  readonly question: Question;
  readonly component?: ComponentId;
}

export interface CheckComponentInput {
  readonly host: string;
  readonly component: ComponentId;
}

export async function describeEstate(input: DescribeEstateInput): Promise<unknown> {
  return answer(input.host, async ({ ask }) => {
    const about = input.component === undefined ? {} : { component: input.component };
    switch (input.question) {
      case 'snapshots':
        return await ask.askSnapshots(about);
      case 'components':
        return await ask.askComponents(about);
      case 'copies':
        return await ask.askCopies({});
      case 'retention':
        return await ask.askRetention({});
      case 'history':
        return await ask.askHistory(about);
    }
  });
}

/** Whether everything that a backup asks for is there; of a database, one segment of the log is closed and waited for on every copy. */
export async function checkComponent(input: CheckComponentInput): Promise<CheckReport> {
  return answer(input.host, ({ ask }) => ask.checkComponent({ component: input.component }, 'everything end to end'));
}

/** What differs between two states of a host's configuration; of the host as it is now the commands are run. */
export async function diffConfiguration(
  input: ConfigurationDiffRequest & { readonly host: string },
): Promise<ConfigurationDiffReport> {
  const { host, component, from, to } = input;
  return answer(host, ({ ask }) => ask.askConfigurationDiff({ component, from, to }, `compare ${from} with ${to}`));
}

/** The plan that a restore with the same input would follow; nothing is stored or touched. */
export async function planRestore(input: RestoreDatabaseInput): Promise<PlanSummary> {
  return answer(input.host, ({ plan }, run) => plan.planRestore({ run, input, keep: false }, `resolve ${input.to}`));
}

/** The same for a table or a database of a moment. */
export async function planPart(input: RestorePartInput): Promise<PartPlan> {
  return answer(input.host, ({ plan }, run) =>
    plan.planPart({ run, input, keep: false }, `resolve ${input.to}, look at ${input.database ?? 'production'}`),
  );
}

/** The same for files. */
export async function planFiles(input: RestoreFilesInput, asker?: Asker): Promise<FilesPlan> {
  return answerWhileAsked(input.host, asker, ({ survey }, run) =>
    survey.planFiles({ run, input, keep: false }, `resolve ${input.to}, compare with what is there`),
  );
}

/** In which snapshots a path is; the tree of each is read. */
export async function findFiles(
  { host, ...request }: FindFilesRequest & { readonly host: string },
  asker?: Asker,
): Promise<FilesFound> {
  return answerWhileAsked(host, asker, ({ survey }) => survey.findFiles(request, `where ${request.wanted} is`));
}

/** In what two snapshots, or a snapshot and the disk, differ. */
export async function diffFiles(
  { host, ...request }: DiffFilesRequest & { readonly host: string },
  asker?: Asker,
): Promise<FilesDiff> {
  return answerWhileAsked(host, asker, ({ survey }) =>
    survey.diffFiles(request, `${request.one} beside ${request.other}`),
  );
}

/** The same for data of Redis. */
export async function planRedis(input: RestoreRedisInput): Promise<RedisPlan> {
  return answer(input.host, ({ plan }, run) =>
    plan.planRedis({ run, input, keep: false }, `resolve ${input.to}, look at the server`),
  );
}

/** The same for a dump that would be loaded. */
export async function planLoad(input: LoadDumpInput): Promise<LoadPlan> {
  return answer(input.host, ({ plan }, run) =>
    plan.planLoad({ run, input, keep: false }, `look into ${input.snapshot}`),
  );
}

/** Ends the server that a recovery beside left running; of one that was only there for a while the directory goes, too. */
export async function stopRecovered(input: RunReferenceInput): Promise<StoppedServer> {
  const { component, run } = input;
  return answer(input.host, ({ plan }) =>
    component.startsWith('redis/')
      ? plan.stopRedis({ component, run }, `stop the server of ${run}`)
      : plan.stopRecovered({ component, run }, `stop the server of ${run}`),
  );
}
