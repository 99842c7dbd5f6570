// A snapshot as reports and `--json` tell it.

import type { ConfigurationDetails } from '../configuration/index.ts';
import type {
  ConfigurationSummary,
  DamageSummary,
  FilesSummary,
  Named,
  RedisSummary,
  SnapshotSummary,
} from '../domain/component-report.ts';
import { shownPath } from '../domain/path-text.ts';
import type { FilesDetails, Told } from '../files/index.ts';
import { summarizeFacts } from '../postgres/facts/index.ts';
import type { LogicalDetails } from '../postgres/logical/index.ts';
import type { PhysicalDetails } from '../postgres/types.ts';
import { type AofDetails, hasTimes, storedDetails, windowFrom } from '../redis/index.ts';
import type { SnapshotOnCopies } from '../vault/index.ts';

export function summarizeSnapshot(snapshot: SnapshotOnCopies): SnapshotSummary {
  const { id, component, kind, from, to, state, statistics, copies } = snapshot;
  const bytes = { read: statistics.readBytes, new: statistics.newBytes, stored: statistics.storedBytes };
  const head = { id, component, kind, from, to, state, bytes, copies };
  if (kind === 'rdb' || kind === 'aof') return { ...head, redis: redisOf(snapshot) };
  const facts = summarizeFacts(snapshot.engine.facts);
  const summary = { ...head, ...(facts && { facts }) };
  if (kind === 'files') return { ...summary, files: filesOf(snapshot) };
  if (kind === 'configuration')
    return { ...summary, files: filesOf(snapshot), configuration: configurationOf(snapshot) };
  if (kind === 'logical') return { ...summary, databases: databasesOf(snapshot) };
  if (kind !== 'physical') return summary;
  const { startLsn, stopLsn, timeline, capture = 'full', damaged, ...details } = snapshot.engine as PhysicalDetails;
  const told = ['parent', 'fullBecause', 'way', 'streamBecause', 'server', 'primaryBecause'] as const;
  return {
    ...summary,
    capture,
    ...(damaged && { damaged: shortened(damaged) }),
    ...Object.fromEntries(told.flatMap((name) => (details[name] === undefined ? [] : [[name, details[name]]]))),
    lsn: { from: startLsn, to: stopLsn, timeline },
  };
}

/** A summary goes through histories and lists. */
const MOST_NAMES = 5;

function redisOf(snapshot: SnapshotOnCopies): RedisSummary {
  const { facts, server, sizeBytes } = storedDetails(snapshot);
  const { keys, types, modules, missing, databases } = facts;
  return {
    ...{ keys, types, sizeBytes, role: server.role },
    persistent: databases.reduce((sum, { persistent }) => sum + persistent, 0),
    writtenBy: `${server.flavour} ${server.version}`,
    ...(snapshot.kind === 'aof' && { window: windowOf(snapshot) }),
    ...(modules.length === 0 ? {} : { modules }),
    ...(missing === undefined ? {} : { missing }),
  };
}

function windowOf({ engine, to }: SnapshotOnCopies): NonNullable<RedisSummary['window']> {
  const details = engine as unknown as AofDetails;
  const gaps = details.sets.filter(({ follows }, index) => index > 0 && !follows).length;
  return {
    from: windowFrom(details) ?? to,
    isTimed: hasTimes(details),
    joins: details.sets[0]?.follows === true,
    gaps,
    ...(details.lost && { lost: details.lost.slice(0, MOST_NAMES).map(({ why }) => why) }),
  };
}

function filesOf({ engine }: SnapshotOnCopies): FilesSummary {
  const { files, directories, others, sizeBytes, unchangedFiles, filesBefore, ...told } =
    engine as unknown as FilesDetails;
  const { unseen, vanished, torn, leftOut, parentUnread } = told;
  return {
    ...{ files, directories, others, sizeBytes, unchangedFiles },
    ...(filesBefore !== undefined && { filesBefore }),
    unseen: named(unseen, ({ path, code }) => `/${shownPath(path)} (${code})`),
    vanished: named(vanished, (path) => `/${shownPath(path)}`),
    torn: named(torn, (path) => `/${shownPath(path)}`),
    leftOut: named(leftOut, ({ path, why }) => `/${shownPath(path)} (${why})`),
    ...(parentUnread !== undefined && { parentUnread }),
  };
}

function configurationOf({ engine }: SnapshotOnCopies): ConfigurationSummary {
  const { repository, commands, missing, unmatched, secrets, withheld } = engine as unknown as ConfigurationDetails;
  const { commit, isNew, summary: change, begunAnew } = repository;
  const failed = commands.filter(({ state }) => state === 'failed');
  const empty = commands.filter(({ isEmpty }) => isEmpty);
  return {
    ...{ commit, isNew, change, commands: commands.length },
    failed: named(all(failed), ({ name, because }) => `${name}: ${because}`),
    missing: named(all(missing), (path) => path),
    unmatched: named(all(unmatched), (path) => path),
    empty: named(all(empty), ({ name }) => name),
    secrets: named(secrets, ({ place, line, kind }) => `/${shownPath(place)}:${line} (${kind})`),
    withheld: named(withheld, ({ place, why }) => `/${shownPath(place)} (${why})`),
    ...(begunAnew !== undefined && { begunAnew }),
  };
}

function all<Each>(each: readonly Each[]): Told<Each> {
  return { count: each.length, first: each };
}

function named<Each>({ count, first }: Told<Each>, words: (each: Each) => string): Named {
  return { count, first: first.slice(0, MOST_NAMES).map(words) };
}

const MOST_RELATIONS = 20;

function shortened({ pages, relations, moreRelations = 0 }: DamageSummary): DamageSummary {
  const more = moreRelations + Math.max(0, relations.length - MOST_RELATIONS);
  return { pages, relations: relations.slice(0, MOST_RELATIONS), ...(more > 0 && { moreRelations: more }) };
}

function databasesOf({ engine }: SnapshotOnCopies): NonNullable<SnapshotSummary['databases']> {
  const { databases } = engine as unknown as LogicalDetails;
  return databases.map(({ name, moment, dumpBytes: bytes }) => ({ name, moment, bytes }));
}
