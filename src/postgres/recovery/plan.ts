// Makes the one plan of a restore: what is recovered from where, to which record, into which place, and what a person should know.

import path from 'node:path';
import type { Configuration, DatabaseSettings } from '../../../config/types.ts';
import { slotName, standbySlotName } from '../../domain/ids.ts';
import { fail, type HoldfastError } from '../../errors/index.ts';
import { servingCopy } from '../../vault/index.ts';
import type { Vault } from '../../vault/types.ts';
import { findTools } from '../tools.ts';
import type { PhysicalDetails, Place, RequestedTarget, RestoreExecution, RestorePlan } from '../types.ts';
import { together } from './in-the-way.ts';
import { inspectPrimary } from './inspect-primary.ts';
import { findLinkedPlaces } from './linked-places.ts';
import type { HeaderCache } from './log-archive.ts';
import { nextFacts } from './next-facts.ts';
import { staysInPlace } from './own-place.ts';
import { keptDirectory, restorePaths } from './paths.ts';
import { planDigest } from './plan-digest.ts';
import { productionWarnings, resolutionWarnings } from './plan-warnings.ts';
import {
  harmlessPreloads,
  inspectBeside,
  inspectLocale,
  inspectProduction,
  inspectTablespaces,
  unconfirmedRestore,
} from './preflight.ts';
import { type Resolution, resolveTarget } from './resolve.ts';
import { findSpace, noSpace } from './space.ts';

export interface PlanRequest {
  readonly vault: Vault;
  readonly configuration: Configuration;
  readonly database: DatabaseSettings;
  readonly target: RequestedTarget;
  readonly place:
    | { readonly mode: 'in place' }
    | {
        readonly mode: 'beside';
        readonly dataDirectory: string;
        readonly start: boolean;
        readonly standby?: true;
        readonly throwaway?: true;
      };
  readonly run: string;
  readonly exclusive?: boolean;
  readonly timeline?: number;
  readonly fromCopy?: string;
  /** All of the recovered server is read before it counts as recovered. Default false. */
  readonly deep?: boolean;
  /** Resolved url of production: its role is one that the recovered server knows, and production is asked what will break. */
  readonly url?: string;
  readonly headers?: HeaderCache;
  readonly now?: Date;
  /** What is in the way is listed in the plan's `blockers` and not thrown, so that a person learns the rest too. Default false. */
  readonly dryRun?: boolean;
}

/**
 * Nothing is touched. Throws what `resolveTarget` throws, `TARGET_UNFIT`, `TOOL_VERSION`, `DATABASE_IDENTITY` when the production
 * directory belongs to another cluster than the one that is in the vault; and, unless it is a dry run, what is in the way:
 * `JOURNAL_STATE` for an earlier restore that was neither confirmed nor rolled back, `NO_SPACE`.
 */
export async function planRestore(request: PlanRequest): Promise<RestorePlan> {
  const { configuration, database, vault } = request;
  const runAs = configuration.hosts[database.host]?.runAs;
  const place = placeOf(request);
  const production =
    place.mode === 'in place'
      ? await inspectProduction(place.dataDirectory, runAs)
      : await inspectBeside(place.dataDirectory, runAs).then(() => undefined);
  if (production !== undefined) await proveKnown(vault, database, production);
  const resolution = await resolveTarget({
    vault,
    component: database.id,
    target: request.target,
    copies: copiesInOrder(request),
    ...optional({
      exclusive: request.exclusive,
      timeline: request.timeline,
      systemId: production?.systemId,
      headers: request.headers,
    }),
  });
  if (request.fromCopy !== undefined) await servingCopy(vault, resolution.snapshot, request.fromCopy);
  const { details } = resolution;
  const { execution, left } = await executionFor(request, place, runAs, details);
  await inspectLocale(details);
  await inspectTablespaces(database.dataDirectory, details);
  const following = place.mode === 'beside' && place.standby ? await inspectFollowing(request, resolution) : [];
  const space = await findSpace({
    dataDirectory: place.dataDirectory,
    linked: execution.linked ?? [],
    details,
    logBytes: resolution.logBytes,
  });
  const blockers = [
    ...(place.mode === 'in place' ? [await unconfirmedRestore(place.dataDirectory)] : []),
    ...noSpace(place, space),
  ].filter((blocker) => blocker !== undefined);
  const [blocker, ...others] = blockers;
  if (blocker !== undefined && request.dryRun !== true) throw together([blocker, ...others]);
  const warnings = [
    ...following,
    ...(await productionWarnings(database.id, request.url, production)),
    ...resolutionWarnings(resolution),
    ...left.map((library) => `the library '${library}' that production preloads is not loaded in the recovered server`),
  ];
  const next = await nextFacts(vault, database.id, details, resolution.resolved);
  const facts = { withinMs: database.facts.withinSeconds * 1000, ...(next && { next }) };
  return withDigest(request, { place, production, resolution, execution, facts, space, warnings, blockers });
}

/** A standby goes on from the end of what the vault has, or not at all. */
async function inspectFollowing(
  { url, database, target }: PlanRequest,
  resolution: Resolution,
): Promise<readonly string[]> {
  if (target.type !== 'latest') {
    fail('TARGET_UNFIT', 'a standby follows its primary from the end of the log, not from an earlier moment', {
      hint: 'leave the target out, or restore with `--beside DIR --start` to look at a moment',
    });
  }
  if (url === undefined) fail('INTERNAL', 'a standby needs the url of its primary');
  return inspectPrimary({ url, component: database.id }, resolution);
}

interface Parts {
  readonly place: Place;
  readonly production: RestorePlan['production'];
  readonly resolution: Resolution;
  readonly execution: RestoreExecution;
  readonly facts: NonNullable<RestorePlan['facts']>;
  readonly space: RestorePlan['space'];
  readonly warnings: readonly string[];
  readonly blockers: readonly HoldfastError[];
}

function withDigest(request: PlanRequest, parts: Parts): RestorePlan {
  const { configuration, database, target, run } = request;
  const { place, production, resolution, execution, facts, space, warnings, blockers } = parts;
  const { snapshot, details, copy, resolved, segments, histories, logBytes } = resolution;
  const plan = {
    run,
    estate: configuration.name,
    component: database.id,
    host: database.host,
    requested: target,
    resolved,
    base: {
      ...{ snapshot: snapshot.id, copy, from: snapshot.from, to: snapshot.to, sizeBytes: details.sizeBytes },
      why: whyCopy(request, resolution),
    },
    source: details,
    log: { copy, segments, histories, bytes: logBytes },
    place,
    workDirectory: restorePaths(place.dataDirectory, run).work,
    ...(production === undefined ? {} : { production }),
    execution,
    facts,
    space,
    warnings,
    ...(blockers.length === 0 ? {} : { blockers: blockers.map((blocker) => blocker.toJSON()) }),
  };
  return { ...plan, digest: planDigest(plan) };
}

/** Throws `PLAN_CHANGED` when what a person decided about is no longer so. */
export function provePlanUnchanged(shown: Pick<RestorePlan, 'digest'>, now: RestorePlan): void {
  if (shown.digest === now.digest) return;
  fail('PLAN_CHANGED', `the plan is no longer the one that was shown (${shown.digest.slice(0, 12)})`, {
    details: { shown: shown.digest, now: now.digest },
  });
}

function placeOf({ place, database, now = new Date() }: PlanRequest): Place {
  if (place.mode === 'beside') return place;
  const { dataDirectory, service, name } = database;
  if (dataDirectory === undefined || service === undefined) {
    fail('TARGET_UNFIT', `a restore of '${name}' in place needs 'dataDirectory' and 'service' in the configuration`, {
      hint: 'add them, or restore with `--beside DIR`',
    });
  }
  const stamp = `${now.toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const keepOldAt = keptDirectory(dataDirectory, stamp);
  return { mode: 'in place', dataDirectory, keepOldAt, ...(staysInPlace(dataDirectory) ? { inside: true } : {}) };
}

/** The cluster that would be replaced must be one whose log is in the vault under this component. */
async function proveKnown(
  vault: Vault,
  { id }: DatabaseSettings,
  { systemId, dataDirectory }: NonNullable<RestorePlan['production']>,
): Promise<void> {
  const known = await vault.logSystems(id);
  if (known.includes(systemId)) return;
  const listed = known.length === 0 ? 'none' : known.join(', ');
  fail('DATABASE_IDENTITY', `'${dataDirectory}' is cluster ${systemId}; the vault has ${listed} under '${id}'`, {
    details: { dataDirectory, systemId, known },
  });
}

/** The copies of the host's own site first, directories before buckets; or only the one that was named. */
function copiesInOrder({ vault, configuration, database, fromCopy }: PlanRequest): string[] {
  const names = vault.copies.map(({ name }) => name);
  if (fromCopy !== undefined) {
    if (!names.includes(fromCopy)) {
      fail('NOT_FOUND', `there is no copy '${fromCopy}'`, { hint: `copies: ${names.join(', ')}` });
    }
    return [fromCopy];
  }
  const site = configuration.hosts[database.host]?.site;
  const rank = (name: string) => {
    const copy = configuration.vault.copies[name];
    return (copy?.site === site ? 0 : 2) + (copy?.file === undefined ? 1 : 0);
  };
  return names.sort((a, b) => rank(a) - rank(b));
}

/** Those that were passed over are among the warnings. */
function whyCopy({ configuration, database, fromCopy, target }: PlanRequest, { copy, passedOver }: Resolution): string {
  if (fromCopy !== undefined) return 'asked for';
  if (target.type === 'latest') return 'no other has more of the log';
  const settings = configuration.vault.copies[copy];
  const isNear = settings?.site === configuration.hosts[database.host]?.site;
  const where = isNear
    ? settings?.file === undefined
      ? 'at this site'
      : 'a directory at this site'
    : 'at another site';
  return passedOver.length === 0 ? `the nearest: ${where}` : `the nearest that can: ${where}`;
}

async function executionFor(
  { configuration, database, url, run, deep }: PlanRequest,
  place: Place,
  runAs: string | undefined,
  details: PhysicalDetails,
): Promise<{ execution: RestoreExecution; left: readonly string[] }> {
  const tools = await findTools(details.major);
  const preloads = await harmlessPreloads(details.sharedPreloadLibraries, tools.binDirectory);
  const role = url === undefined ? '' : decodeURIComponent(new URL(url).username);
  const roles = [role, 'postgres', runAs].filter((name): name is string => name !== undefined && name !== '');
  const inPlace = place.mode === 'in place';
  const linked = inPlace ? await findLinkedPlaces({ dataDirectory: place.dataDirectory, details, run }) : [];
  const locationOf = new Map(linked.map(({ link, text }) => [link, text]));
  const tablespaces = details.tablespaces
    .filter(({ location }) => !inPlace || path.isAbsolute(location))
    .map(({ oid }) => ({
      oid,
      location: locationOf.get(`pg_tblspc/${oid}`) ?? `${place.dataDirectory}/tablespaces/${oid}`,
    }));
  const execution = {
    binDirectory: tools.binDirectory,
    roles: [...new Set(roles)],
    preloadLibraries: preloads.kept,
    tablespaces,
    checks: database.checks,
    ...optional({
      deep: deep === true ? true : undefined,
      runAs,
      linked: linked.length > 0 ? linked : undefined,
      slot: inPlace ? slotName(configuration.name, database.name) : undefined,
      service: inPlace ? database.service : undefined,
      standbySlot:
        place.mode === 'beside' && place.standby ? standbySlotName(configuration.name, database.name, run) : undefined,
    }),
  };
  return { execution, left: preloads.left };
}

/** Without the fields that are `undefined`, as exact optional properties want it. */
function optional<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
