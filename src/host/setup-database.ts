// The steps of `setup` for one database: what its server lacks, what it answers, and its replication slot.

import { type Configuration, type DatabaseSettings, resolveSecret } from '../../config/index.ts';
import { slotName } from '../domain/ids.ts';
import type { SetupStep } from '../domain/setup-report.ts';
import { type ErrorCode, fail, HoldfastError } from '../errors/index.ts';
import { type AdoptionStatement, adopt, planAdoption } from '../postgres/adoption.ts';
import { preflight } from '../postgres/preflight.ts';
import { type PreparedSlot, prepareSlot, readSlot } from '../postgres/receiver/index.ts';
import type { Source } from '../postgres/types.ts';
import { openVault } from '../vault/index.ts';
import { vaultOptions } from './open-vault.ts';
import type { AdminAccess, Answer, SetUpOptions } from './setup.ts';

type NamedStep = readonly [name: string, work: () => Promise<Answer>];

export function databaseSteps(
  configuration: Configuration,
  database: DatabaseSettings,
  options: SetUpOptions,
): NamedStep[] {
  return [
    ...adoptionSteps(database, options),
    [`${database.id} server`, () => serverStep(configuration, database, options)],
    [`${database.id} slot`, () => slotStep(configuration, database, options)],
  ];
}

/** Throws `USAGE` when it cannot be told which database `admin` is for. */
export function requireOneAdopted({ database }: Configuration, { host, admin }: SetUpOptions): void {
  if (admin === undefined) return;
  const names = Object.values(database)
    .filter((each) => each.host === host)
    .map(({ name }) => name);
  if (admin.name === undefined ? names.length === 1 : names.includes(admin.name)) return;
  const asked = admin.name === undefined ? 'no database is named' : `'${admin.name}' is no database of host '${host}'`;
  fail('USAGE', `option '--admin': ${asked}, expected one of ${names.map((name) => `'${name}'`).join(', ')}`, {
    hint: `write it as '--admin ${names[0] ?? 'NAME'}=${admin.reference}'`,
  });
}

/** In a dry run nobody can log in yet with a role that is still to be made. */
export function standsOnPlanned(name: string, steps: readonly SetupStep[]): boolean {
  const adoption = steps.find(({ name: each, state }) => /^\S+ adoption$/.test(each) && state === 'planned');
  const component = adoption?.name.split(' ')[0];
  return component !== undefined && (name === `${component} server` || name === `${component} slot`);
}

async function serverStep(
  configuration: Configuration,
  { id, name, url, log, backup, reading }: DatabaseSettings,
  { allowUnlimitedSlot, admin }: SetUpOptions,
): Promise<Answer> {
  const slot = slotName(configuration.name, name);
  const checks = await preflight(
    { component: id, url: await resolveSecret(url) },
    {
      ...{ slot, allowUnlimitedSlot, incremental: backup.incremental !== undefined, files: reading.way === 'auto' },
      ...(log.synchronous && { synchronous: 'soon' }),
    },
  );
  const bad = checks.filter(({ ok }) => !ok);
  const [first] = bad;
  if (first !== undefined) {
    throw new HoldfastError(
      first.code ?? 'DATABASE_SETTING',
      bad.map((check) => `${check.name}: ${check.message}`).join('; '),
      {
        hint: [...bad.flatMap(({ hint }) => (hint === undefined ? [] : [hint])), ...orAdopt(first.code, admin)].join(
          '; ',
        ),
        details: { checks: bad },
      },
    );
  }
  const advice = checks.flatMap(({ message, hint }) => (hint === undefined ? [] : [`${message} (${hint})`]));
  const asked = checks.map((check) => check.name).join(', ');
  return ['present', [`${checks.length} questions answered well (${asked})`, ...advice].join('; ')];
}

/** Not for a server that is away, or that does not let our host in: no statement helps there. */
function orAdopt(code: ErrorCode | undefined, admin: SetUpOptions['admin']): string[] {
  const helps = ['DATABASE_AUTH', 'DATABASE_PRIVILEGE', 'DATABASE_SETTING'].includes(code ?? 'DATABASE_SETTING');
  if (!helps || admin !== undefined) return [];
  return [
    'or let it be done, and shown first: `holdfast setup --admin env:ADMIN_URL --dry-run`, with the url of a superuser in ADMIN_URL',
  ];
}

function adoptionSteps(database: DatabaseSettings, options: SetUpOptions): NamedStep[] {
  const { admin } = options;
  if (admin === undefined || (admin.name ?? database.name) !== database.name) return [];
  return [[`${database.id} adoption`, () => adoptionStep(database, admin, options)]];
}

async function adoptionStep(
  { id, url, dataDirectory, backup }: DatabaseSettings,
  { reference, isAgreed }: AdminAccess,
  { dryRun, allowUnlimitedSlot }: SetUpOptions,
): Promise<Answer> {
  const source = { component: id, url: await resolveSecret(url) };
  const admin = { component: id, url: await resolveSecret(reference) };
  const statements = await planAdoption(source, {
    ...{ admin, allowUnlimitedSlot },
    ...(dataDirectory === undefined ? {} : { dataDirectory }),
    summaries: Object.hasOwn(backup, 'incremental'),
    readsData: Object.hasOwn(backup, 'logical'),
  });
  if (statements.length === 0) return ['present', 'role, rights and settings are as they must be'];
  const shown = statements.map(({ shown: text }) => text).join('; ');
  if (dryRun) return ['planned', `would run: ${shown}${restartWords(statements)}`];
  if (!isAgreed) {
    fail('USAGE', `${id} lacks what ${statements.length} statements make, and nobody has agreed to them: ${shown}`, {
      hint: 'run it again with --yes, or run the statements by hand',
    });
  }
  await adopt(statements, admin);
  return ['done', `ran: ${shown}${restartWords(statements)}`];
}

function restartWords(statements: readonly AdoptionStatement[]): string {
  const count = statements.filter(({ effect }) => effect === 'restart').length;
  return count === 0 ? '' : `; then the server must be restarted, for ${count} of them`;
}

async function slotStep(
  configuration: Configuration,
  { id, name, url, host: databaseHost }: DatabaseSettings,
  { dryRun, host, logger }: SetUpOptions,
): Promise<Answer> {
  const slot = slotName(configuration.name, name);
  if (dryRun) return await lookAtSlot(slot, { component: id, url: await resolveSecret(url) });
  const vault = await openVault(await vaultOptions(configuration, { host, logger }));
  try {
    const prepared = await prepareSlot({ component: id, url: await resolveSecret(url) }, slot, vault, logger);
    return slotWords(slot, prepared, databaseHost);
  } finally {
    await vault.close();
  }
}

/** Reads alone. One that is gone though the vault has its log is made only where no log is missing: seen when it is made. */
async function lookAtSlot(slot: string, source: Source): Promise<Answer> {
  const found = await readSlot(source, slot);
  if (found === undefined) return ['planned', `would make the physical replication slot '${slot}' on this server`];
  if (found.state === 'lost')
    fail('SLOT_LOST', `the server gave up the log that the replication slot '${slot}' was to keep`);
  return ['present', `replication slot '${slot}'`];
}

function slotWords(slot: string, prepared: PreparedSlot, host: string): Answer {
  if (prepared.state !== 'left') {
    const words = `replication slot '${slot}', log kept from ${prepared.restartLsn}`;
    if (prepared.state !== 'remade') return [prepared.state === 'present' ? 'present' : 'done', words];
    return ['done', `${words}; it was gone, and no log is missing: the vault has it to ${prepared.durable}`];
  }
  const has = prepared.durable === undefined ? 'has log of this server' : `has the log only to ${prepared.durable}`;
  return [
    'skipped',
    `the replication slot '${slot}' is gone, and log may be missing: the vault ${has}; start \`holdfast worker\` on '${host}', which makes the slot again, names the hole, raises the alarm and takes a new full backup`,
  ];
}
