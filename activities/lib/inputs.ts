// The schemas of the workflows' inputs, and how what they leave out is filled in from the worker's own configuration.

import path from 'node:path';
import { z } from 'zod';
import { anyHost, type ComponentSettings, type Configuration, componentOf, keepsAll } from '../../config/index.ts';
import { integrityLevels } from '../../src/domain/integrity.ts';
import { backupKinds, redisKinds } from '../../src/domain/operations.ts';
import { parseSnapshotTarget } from '../../src/domain/snapshot-target.ts';
import { parseTarget } from '../../src/domain/target.ts';
import { fail } from '../../src/errors/index.ts';
import type { OperationName } from '../contract.ts';
import { type Canonical, canonical, type InputOf } from './canonical.ts';

const common = {
  estate: z.string().optional(),
  host: z.string().optional(),
  digest: z.string().optional(),
  by: z.string().max(200).optional(),
};
const ofComponent = { ...common, component: z.string() };
const seconds = z
  .number()
  .int()
  .positive()
  .max(30 * 86_400);
const run = z
  .string()
  .regex(/^restore-[0-9a-f]{8}$/, { error: "expected the id of a restore, such as 'restore-3f9a1c2b'" });

const tableName = z.object({ schema: z.string().min(1).max(63), table: z.string().min(1).max(63) });

const schemas = {
  backupDatabase: z.object({
    ...ofComponent,
    kind: z.enum(backupKinds).default('physical'),
    reason: z.string().optional(),
  }),
  dumpDatabase: z.object({ ...ofComponent, reason: z.string().optional() }),
  backupRedis: z.object({
    ...ofComponent,
    kind: z.enum(redisKinds).default('rdb'),
    reason: z.string().optional(),
  }),
  backupFiles: z.object({ ...ofComponent, reason: z.string().optional() }),
  backupConfiguration: z.object({ ...ofComponent, reason: z.string().optional() }),
  mirrorFiles: z.object(ofComponent),
  loadDump: z
    .object({
      ...ofComponent,
      snapshot: z.string(),
      database: z.string().min(1).optional(),
      schema: z.string().min(1).optional(),
      table: tableName.optional(),
      into: z.string().min(1).max(63).optional(),
      as: tableName.optional(),
      globals: z.boolean().optional(),
      from: z.string().optional(),
      planDigest: z.string().optional(),
    })
    .refine(({ schema, table }) => schema === undefined || table === undefined, {
      error: "'schema' or 'table', not both",
    })
    .refine(({ as, table }) => as === undefined || table !== undefined, { error: "'as' goes together with 'table'" }),
  shipLog: z.object(ofComponent),
  restoreDatabase: z.object({
    ...ofComponent,
    to: z.string(),
    exclusive: z.boolean().optional(),
    timeline: z.number().int().positive().optional(),
    from: z.string().optional(),
    beside: z
      .object({ directory: z.string(), start: z.boolean().default(false), standby: z.boolean().optional() })
      .optional(),
    deep: z.boolean().optional(),
    approval: z.enum(['never', 'always']).optional(),
    approveWithinSeconds: seconds.optional(),
    planDigest: z.string().optional(),
  }),
  restoreRedis: z
    .object({
      ...ofComponent,
      to: z.string(),
      from: z.string().optional(),
      beside: z.object({ directory: z.string(), start: z.boolean().default(false) }).optional(),
      live: z.boolean().optional(),
      pattern: z.string().min(1).max(1000).optional(),
      approval: z.enum(['never', 'always']).optional(),
      approveWithinSeconds: seconds.optional(),
      planDigest: z.string().optional(),
    })
    .refine(
      ({ beside, live, pattern }) =>
        [beside !== undefined, live === true, pattern !== undefined].filter(Boolean).length < 2,
      { error: "at most one of 'beside', 'live' and 'pattern'" },
    ),
  restoreFiles: z.object({
    ...ofComponent,
    to: z.string(),
    paths: z.array(z.string().min(1)).max(1000).optional(),
    patterns: z.array(z.string().min(1)).max(1000).optional(),
    from: z.string().optional(),
    beside: z.object({ directory: z.string() }).optional(),
    approval: z.enum(['never', 'always']).optional(),
    approveWithinSeconds: seconds.optional(),
    planDigest: z.string().optional(),
  }),
  restorePart: z
    .object({
      ...ofComponent,
      to: z.string(),
      exclusive: z.boolean().optional(),
      timeline: z.number().int().positive().optional(),
      from: z.string().optional(),
      database: z.string().min(1).optional(),
      table: tableName.optional(),
      as: tableName.optional(),
      replace: z.boolean().optional(),
      into: z.string().min(1).max(63).optional(),
      clone: z.string().optional(),
      approval: z.enum(['never', 'always']).optional(),
      approveWithinSeconds: seconds.optional(),
      planDigest: z.string().optional(),
    })
    .refine(
      ({ table, as, replace, into }) =>
        table === undefined ? into !== undefined && as === undefined && replace !== true : into === undefined,
      { error: "'table' with 'as' or 'replace', or a database with 'into'" },
    )
    .refine(({ table, as, replace }) => table === undefined || (as === undefined) === (replace === true), {
      error: "'as' or 'replace', one of them",
    }),
  rollbackRestore: z.object({ ...ofComponent, run }),
  confirmRestore: z.object({ ...ofComponent, run }),
  catchUpCopy: z.object({ ...common, copy: z.string() }),
  applyRetention: z.object({ ...common, planDigest: z.string().optional(), beyondMaximum: z.boolean().optional() }),
  verifySnapshots: z.object({
    ...common,
    component: z.string().optional(),
    level: z.enum(integrityLevels).default('hashed'),
    copy: z.string().optional(),
    withinDays: z.number().int().positive().optional(),
    budgetBytes: z.number().int().positive().optional(),
    timeSeconds: seconds.optional(),
  }),
} as const satisfies Record<OperationName, z.ZodType>;

/** Fields of an input that its schema does not name: they would be dropped without a word, and what was asked for not done. */
type Dropped = {
  [Name in keyof InputOf]: Exclude<keyof InputOf[Name], keyof z.output<(typeof schemas)[Name]>>;
}[keyof InputOf];
/** `keepsAll` and `isPulled` are not asked for: they follow from the configuration. Anything else does not compile. */
const nothingIsDropped: [Exclude<Dropped, 'keepsAll' | 'isPulled'>] extends [never] ? true : Dropped = true;
void nothingIsDropped;

export interface Resolved extends Canonical {
  readonly input: InputOf[OperationName];
}

/**
 * Throws `USAGE` for an input of the wrong shape, `UNKNOWN_COMPONENT`, `NOT_FOUND` for a copy, `MOMENT_INVALID`, and `CONFIG_MISMATCH` when the one
 * who asks read another configuration.
 */
export function resolveInput(configuration: Configuration, operation: OperationName, given: unknown): Resolved {
  const schema: z.ZodType<Given> = schemas[operation];
  const parsed = schema.safeParse(given);
  if (!parsed.success)
    return fail('USAGE', `the input of '${operation}' is wrong: ${inWords(parsed.error)}`, {
      hint: usageHint(operation),
    });
  const input = parsed.data;
  checkIdentity(configuration, input);
  const filled = fill(configuration, operation, input);
  return { ...canonical(operation, filled as never), input: filled };
}

type Given = {
  readonly estate?: string | undefined;
  readonly digest?: string | undefined;
  readonly host?: string | undefined;
  readonly component?: string | undefined;
  readonly copy?: string | undefined;
  readonly by?: string | undefined;
  readonly planDigest?: string | undefined;
  readonly beyondMaximum?: boolean | undefined;
  readonly to?: string | undefined;
  readonly approval?: 'never' | 'always' | undefined;
  readonly approveWithinSeconds?: number | undefined;
  readonly beside?: { readonly directory: string; readonly start?: boolean } | undefined;
  readonly paths?: readonly string[] | undefined;
  readonly replace?: boolean | undefined;
  readonly clone?: string | undefined;
};

function inWords(error: z.ZodError): string {
  return error.issues
    .map(({ path: at, message }) => (at.length === 0 ? message : `'${at.join('.')}': ${message}`))
    .join('; ');
}

function usageHint(operation: OperationName): string {
  const examples: Partial<Record<OperationName, string>> = {
    catchUpCopy: '{"copy": "us"}',
    applyRetention: '{}',
    verifySnapshots: '{"level": "hashed"}',
  };
  const example = examples[operation] ?? '{"component": "database/main", …}';
  return `one JSON object, such as ${example}; docs/cli.md lists the fields`;
}

function checkIdentity({ name, digest }: Configuration, input: Given): void {
  if (input.estate !== undefined && input.estate !== name) {
    fail('CONFIG_MISMATCH', `the input is for estate '${input.estate}', this worker works for '${name}'`);
  }
  if (input.digest !== undefined && input.digest !== digest) {
    fail('CONFIG_MISMATCH', `the worker's configuration has digest ${digest}, the one that was read ${input.digest}`);
  }
}

function fill(configuration: Configuration, operation: OperationName, input: Given): InputOf[OperationName] {
  if (operation === 'applyRetention') return fillEstate(configuration, input);
  if (operation === 'verifySnapshots') return fillVerification(configuration, input);
  return input.copy === undefined ? fillComponent(configuration, operation, input) : fillCopy(configuration, input);
}

/** Any host with the keys will do; the first that has a component is one. */
function fillEstate(configuration: Configuration, input: Given): InputOf['applyRetention'] {
  const { by, planDigest, beyondMaximum, digest } = input;
  return {
    estate: configuration.name,
    host: input.host ?? anyHost(configuration),
    ...(by === undefined ? {} : { by }),
    ...(digest === undefined ? {} : { digest }),
    ...(planDigest === undefined ? {} : { planDigest }),
    ...(beyondMaximum === undefined ? {} : { beyondMaximum }),
    ...(keepsAll(configuration) ? { keepsAll: true } : {}),
  };
}

function fillVerification(configuration: Configuration, input: Given): InputOf['verifySnapshots'] {
  const about =
    input.component === undefined
      ? { estate: configuration.name, host: input.host ?? anyHost(configuration) }
      : fillComponent(configuration, 'verifySnapshots', input);
  if (input.copy !== undefined) fillCopy(configuration, input);
  return { ...input, ...about } as InputOf['verifySnapshots'];
}

function fillCopy(configuration: Configuration, { copy = '', host }: Given): InputOf['catchUpCopy'] {
  const names = Object.keys(configuration.vault.copies);
  if (!names.includes(copy)) fail('NOT_FOUND', `there is no copy '${copy}'`, { hint: `copies: ${names.join(', ')}` });
  return { estate: configuration.name, copy, host: host ?? anyHost(configuration) };
}

function fillComponent(configuration: Configuration, operation: OperationName, input: Given): InputOf[OperationName] {
  const settings = componentOf(configuration, input.component ?? '');
  requireKind(operation, settings);
  if (operation === 'mirrorFiles') requireMirror(settings);
  if (input.host !== undefined && input.host !== settings.host) {
    fail('CONFIG_MISMATCH', `'${settings.id}' is on host '${settings.host}', the input says '${input.host}'`);
  }
  const named = { ...input, estate: configuration.name, component: settings.id, host: settings.host };
  if (operation === 'restorePart') return fillPart(configuration, settings, named) as InputOf[OperationName];
  if (operation === 'backupFiles')
    return (isPulled(settings) ? { ...named, isPulled: true } : named) as InputOf['backupFiles'];
  if (operation === 'restoreDatabase') parseTarget(input.to ?? '', configuration.timezone);
  if (operation === 'restoreRedis') parseSnapshotTarget(input.to ?? '', configuration.timezone);
  if (operation === 'restoreFiles') requireFilesTarget(configuration, input);
  const isRestore = ['restoreDatabase', 'restoreRedis', 'restoreFiles'].includes(operation);
  return (isRestore ? fillRestore(configuration, settings, named) : named) as InputOf[OperationName];
}

/** What an operation is for; the others are for every kind. */
const kindsOf: Readonly<Partial<Record<OperationName, readonly ComponentSettings['kind'][]>>> = {
  backupDatabase: ['database'],
  dumpDatabase: ['database'],
  loadDump: ['database'],
  shipLog: ['database'],
  restoreDatabase: ['database'],
  restorePart: ['database'],
  backupRedis: ['redis'],
  restoreRedis: ['redis'],
  backupFiles: ['files'],
  mirrorFiles: ['files'],
  restoreFiles: ['files', 'configuration'],
  backupConfiguration: ['configuration'],
};

function requireKind(operation: OperationName, { id, kind }: ComponentSettings): void {
  const wanted = kindsOf[operation];
  if (wanted !== undefined && !wanted.includes(kind)) {
    fail('USAGE', `'${operation}' is for a component of the kind '${wanted.join("' or '")}', '${id}' is none`);
  }
}

function isPulled(settings: ComponentSettings): boolean {
  return settings.kind === 'files' && settings.pull !== undefined;
}

function requireMirror(settings: ComponentSettings): void {
  if (settings.kind !== 'files' || settings.mirror !== undefined) return;
  fail('USAGE', `'${settings.id}' has no mirror`, { hint: '`mirror` in its configuration says where to' });
}

/** What is brought beside changes nothing that is there, and asks nobody; replaced rows do, like a restore in place. */
function fillPart({ approval, timezone }: Configuration, { id }: ComponentSettings, input: Given): Given {
  parseTarget(input.to ?? '', timezone);
  const { clone } = input;
  if (clone !== undefined && !path.isAbsolute(clone)) {
    fail('USAGE', `'clone' must be an absolute path on the host of '${id}', got '${clone}'`);
  }
  const policy = input.replace === true ? approval.restoreInPlace : 'never';
  return {
    ...input,
    approval: policy === 'always' || input.approval === 'always' ? 'always' : 'never',
    approveWithinSeconds: input.approveWithinSeconds ?? approval.withinSeconds,
    ...(clone === undefined ? {} : { clone: path.resolve(clone) }),
  };
}

function requireFilesTarget({ timezone }: Configuration, { to = '', paths = [] }: Given): void {
  parseSnapshotTarget(to, timezone);
  for (const each of paths) {
    if (!path.isAbsolute(each)) fail('USAGE', `'paths': expected absolute paths on the host, got '${each}'`);
  }
}

function fillRestore({ approval }: Configuration, { id }: ComponentSettings, input: Given): Given {
  const { beside } = input;
  if (beside !== undefined && !path.isAbsolute(beside.directory)) {
    fail('USAGE', `'beside.directory' must be an absolute path on the host of '${id}', got '${beside.directory}'`);
  }
  const policy = beside === undefined ? approval.restoreInPlace : 'never';
  return {
    ...input,
    // Whoever asks may ask for more care than the policy does, never for less.
    approval: policy === 'always' || input.approval === 'always' ? 'always' : 'never',
    approveWithinSeconds: input.approveWithinSeconds ?? approval.withinSeconds,
    ...(beside === undefined ? {} : { beside: { ...beside, directory: path.resolve(beside.directory) } }),
  };
}
