// What an input stands for: the one workflow id it has, and the text by which two runs know that they were asked for the same.

import { createHash } from 'node:crypto';
import { workflowIds } from '../../src/domain/ids.ts';
import type {
  ApplyRetentionInput,
  BackupConfigurationInput,
  BackupDatabaseInput,
  BackupFilesInput,
  BackupRedisInput,
  CatchUpInput,
  DumpDatabaseInput,
  LoadDumpInput,
  MirrorFilesInput,
  RestoreDatabaseInput,
  RestoreFilesInput,
  RestorePartInput,
  RestoreRedisInput,
  RunReferenceInput,
  ShipLogInput,
  VerifySnapshotsInput,
} from '../../src/domain/operations.ts';
import { asText, named, tableText } from './asked-for.ts';

export interface InputOf {
  readonly backupDatabase: BackupDatabaseInput;
  readonly dumpDatabase: DumpDatabaseInput;
  readonly backupRedis: BackupRedisInput;
  readonly backupFiles: BackupFilesInput;
  readonly backupConfiguration: BackupConfigurationInput;
  readonly mirrorFiles: MirrorFilesInput;
  readonly loadDump: LoadDumpInput;
  readonly shipLog: ShipLogInput;
  readonly restoreDatabase: RestoreDatabaseInput;
  readonly restoreRedis: RestoreRedisInput;
  readonly restoreFiles: RestoreFilesInput;
  readonly restorePart: RestorePartInput;
  readonly rollbackRestore: RunReferenceInput;
  readonly confirmRestore: RunReferenceInput;
  readonly catchUpCopy: CatchUpInput;
  readonly applyRetention: ApplyRetentionInput;
  readonly verifySnapshots: VerifySnapshotsInput;
}

export interface Canonical {
  readonly workflowId: string;
  readonly request: string;
}

const RETENTION = 'retention';
const BEYOND = 'retention beyond the maximum';

type Rules = { readonly [Name in keyof InputOf]: (input: InputOf[Name]) => Canonical };

const rules: Rules = {
  backupDatabase: ({ estate, component, kind }) => ({
    workflowId: workflowIds.backup(estate, component, kind),
    request: kind,
  }),
  dumpDatabase: ({ estate, component }) => ({ workflowId: workflowIds.dump(estate, component), request: 'logical' }),
  backupRedis: ({ estate, component, kind }) => ({
    workflowId: workflowIds.backup(estate, component, kind),
    request: kind,
  }),
  backupFiles: ({ estate, component }) => ({ workflowId: workflowIds.backup(estate, component), request: 'files' }),
  backupConfiguration: ({ estate, component }) => ({
    workflowId: workflowIds.backup(estate, component),
    request: 'configuration',
  }),
  mirrorFiles: ({ estate, component }) => ({ workflowId: workflowIds.mirror(estate, component), request: 'mirror' }),
  loadDump: (input) => ({ workflowId: workflowIds.load(input.estate, input.component), request: loadRequest(input) }),
  shipLog: ({ estate, component }) => ({ workflowId: workflowIds.ship(estate, component), request: 'ship' }),
  restoreDatabase: (input) => ({ workflowId: restoreId(input), request: restoreRequest(input) }),
  restoreRedis: (input) => ({ workflowId: restoreId(input), request: redisRequest(input) }),
  restoreFiles: (input) => ({ workflowId: restoreId(input), request: filesRequest(input) }),
  restorePart: (input) => ({
    workflowId: workflowIds.restorePart(input.estate, input.component),
    request: partRequest(input),
  }),
  rollbackRestore: ({ estate, run }) => ({ workflowId: workflowIds.rollback(estate, run), request: 'rollback' }),
  confirmRestore: ({ estate, run }) => ({ workflowId: workflowIds.confirm(estate, run), request: 'confirm' }),
  catchUpCopy: ({ estate, copy }) => ({ workflowId: workflowIds.catchUp(estate, copy), request: 'catch up' }),
  applyRetention: ({ estate, beyondMaximum }) => ({
    workflowId: workflowIds.retention(estate),
    request: beyondMaximum === true ? BEYOND : RETENTION,
  }),
  verifySnapshots: ({ estate, component, level, copy }) => ({
    workflowId: workflowIds.verify(estate, component),
    request: `${level}${copy === undefined ? '' : ` on ${copy}`}`,
  }),
};

/** By request, those that a run of it fulfils as well. */
const wider: Readonly<Record<string, readonly string[]>> = { [BEYOND]: [RETENTION] };

/** Whether a run that was asked for `running` does all that is `asked`: the same, or more. Never the reverse. */
export function covers(running: string, asked: string): boolean {
  return running === asked || wider[running]?.includes(asked) === true;
}

export function canonical<Name extends keyof InputOf>(operation: Name, input: InputOf[Name]): Canonical {
  return rules[operation](input);
}

function loadRequest({ snapshot, database, schema, table, into, as, globals, from }: LoadDumpInput): string {
  return asText([
    `dump ${snapshot}`,
    named('database', database),
    named('schema', schema),
    table && `table ${tableText(table)}`,
    named('into', into),
    as && `as ${tableText(as)}`,
    globals === true && 'with its roles',
    named('from', from),
  ]);
}

function partRequest(input: RestorePartInput): string {
  const { database, table, as, replace, into, clone } = input;
  return asText([
    ...momentOf(input),
    named('database', database),
    table && `table ${tableText(table)}`,
    as && `as ${tableText(as)}`,
    replace === true && 'its rows replaced',
    named('into', into),
    named('recovered in', clone),
  ]);
}

function filesRequest({ component, to, paths = [], patterns = [], from, beside }: RestoreFilesInput): string {
  return asText([
    component,
    `to ${to}`,
    ...paths.map((each) => `path ${each}`),
    ...patterns.map((each) => `pattern ${each}`),
    named('from', from),
    named('beside', beside?.directory),
  ]);
}

function redisRequest({ component, to, from, beside, live, pattern }: RestoreRedisInput): string {
  return asText([
    component,
    `to ${to}`,
    named('from', from),
    named('beside', beside?.directory),
    beside?.start === true && 'started',
    live === true && 'live',
    named('keys', pattern),
  ]);
}

function restoreId({
  estate,
  component,
  host,
  beside,
}: RestoreDatabaseInput | RestoreRedisInput | RestoreFilesInput): string {
  if (beside === undefined) return workflowIds.restoreInPlace(estate, component);
  const place = createHash('sha256').update(`${host}\n${beside.directory}`).digest('hex').slice(0, 16);
  return workflowIds.restoreBeside(estate, place);
}

function restoreRequest(input: RestoreDatabaseInput): string {
  const { component, beside, deep } = input;
  return asText([
    component,
    ...momentOf(input),
    named('beside', beside?.directory),
    beside?.start === true && 'started',
    beside?.standby === true && 'as a standby',
    deep === true && 'checked in depth',
  ]);
}

function momentOf({ to, exclusive, timeline, from }: RestoreDatabaseInput | RestorePartInput) {
  return [`to ${to}`, exclusive === true && 'exclusive', named('timeline', timeline), named('from', from)];
}
