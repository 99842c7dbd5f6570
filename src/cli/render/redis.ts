// What giving back data of Redis would do, and what it did, as the person who must say yes to it reads it.

import type { SnapshotSummary } from '../../domain/component-report.ts';
import type { KeyCounts, RedisPlan, RedisRestored } from '../../domain/redis-restore.ts';
import type { Result } from '../result.ts';
import { blockerLines } from './plan.ts';
import { leftLines } from './restore-end.ts';
import { bytesText, counted, durationMsText, fullTime, skewText } from './words.ts';

export function renderRedisPlan(plan: RedisPlan, zone: string): string[] {
  const { snapshot, mode, way, sizeBytes, space } = plan;
  const head =
    mode === 'beside'
      ? 'beside'
      : way === 'stopped'
        ? 'in place, into the stopped server'
        : 'in place, into the running server';
  const lines = [
    `plan  ${head}, ${holdsText(plan)} in ${bytesText(sizeBytes)} from ${snapshot.copy}`,
    `      gives back ${plan.component} as of ${fullTime(snapshot.to, zone)}${skewText(snapshot.skewSeconds)}, written by ${plan.writtenBy}`,
    `      asked for ${plan.requested}: snapshot ${snapshot.id}`,
    ...logLines(plan),
    ...placeLines(plan),
    `      ${overText(plan)}`,
  ];
  if (space) lines.push(`      needs ${bytesText(space.neededBytes)}, ${bytesText(space.availableBytes)} are free`);
  for (const warning of plan.warnings) lines.push(`      warning: ${warning}`);
  lines.push(...blockerLines(plan.blockers));
  lines.push(`      digest ${plan.digest}`);
  return lines;
}

function holdsText({ keys, log }: RedisPlan): string {
  if (log !== undefined) return keys === undefined ? 'a log' : `${counted(keys, 'key')} and a log`;
  return keys === undefined ? 'keys that were not counted' : counted(keys, 'key');
}

function logLines({ log, keys }: RedisPlan): string[] {
  if (log === undefined) return [];
  const commands = `${log.isAtMost ? 'at most ' : ''}${counted(log.commands, 'command')} (${bytesText(log.sizeBytes)})`;
  const follow =
    keys === undefined ? `the log has ${commands}` : `behind ${counted(keys, 'key')} follow ${commands} of log`;
  return [`      ${follow}: how many keys that comes to is known when it is loaded`];
}

function placeLines(plan: RedisPlan): string[] {
  const { mode, way, directory, host, start, pattern, isAppendOnly } = plan;
  if (mode === 'beside') {
    return [
      `      into ${directory} on ${host}${start ? ', and starts a server there on a socket' : ''}; production is not touched`,
    ];
  }
  if (way === 'stopped') {
    const files = isAppendOnly ? ' with append-only files of the same data' : '';
    const place = directory ?? 'its data directory, which the configuration does not name,';
    return [`      in ${place} on ${host}${files}; what was there is kept until you confirm`];
  }
  const where = serverText(plan);
  if (way === 'keys') {
    return [
      `      only keys that match '${pattern}' and differ, in ${where}; keys that the snapshot does not have stay`,
      ...matchingLines(plan),
      '      what they were is kept until you confirm',
    ];
  }
  return [
    `      all data of ${where} is exchanged; clients that write wait meanwhile, and its replicas receive everything anew`,
    '      what it has by then is kept until you confirm',
  ];
}

/** Of a plan of an earlier version that could not ask it there is no name. */
function serverText({ server }: RedisPlan): string {
  if (server === undefined) return 'the running server';
  return server.version === undefined ? server.where : `${server.where}, version ${server.version}`;
}

function matchingLines({ matching }: RedisPlan): string[] {
  return matching === undefined ? [] : [`      ${matchingText(matching, 'to be made', 'to be replaced')}`];
}

function matchingText({ matching, create, replace, surplus }: KeyCounts, made: string, replaced: string): string {
  return `${matching} match: ${create} ${made}, ${replace} ${replaced}, the others are the same; ${surplus} that the snapshot does not have stay`;
}

function overText({ keys, log, over: { least, most } }: RedisPlan): string {
  if (keys === undefined) return 'keys expire when they were to: of how many the time is over is not known';
  const of = log === undefined ? '' : ' of those before the log';
  if (most === 0) return `no key${of} has its time over`;
  const count = least === most ? String(least) : `between ${least} and ${most}`;
  return `keys expire when they were to: the time of ${count}${of} is over, and they do not come back`;
}

export function redisRestoredLines(restored: RedisRestored, result: Result, zone: string): string[] {
  const { id, directory, connection, proof, replaced, keptAt, timingsMs } = restored;
  const gone = proof.expired === 0 ? '' : `, ${proof.expired} had their time over`;
  const compared = proof.hasCompared
    ? `; counts and ${counted(proof.samples, 'sample')} are as captured`
    : '; there was nothing to compare';
  const lines = [
    `  gives back ${restored.snapshot} of ${fullTime(restored.to, zone)}${directory === undefined ? '' : ` in ${directory}`}`,
    `  loaded ${counted(proof.keys, 'key')}${gone}${compared}`,
    `  took ${durationMsText(timingsMs.total)}`,
  ];
  if (replaced) lines.push(`  ${matchingText(replaced, 'made', 'replaced')}`);
  const server = connection === undefined ? undefined : `server at ${connection}`;
  if (keptAt === undefined) return [...lines, ...leftLines(id, { server }, result)];
  if (server !== undefined) lines.push(`  ${server}`);
  return [...lines, ...leftLines(id, { kept: `what was there is kept in ${keptAt}` }, result)];
}

export function redisLines(redis: SnapshotSummary['redis']): string[] {
  if (redis === undefined) return [];
  const { keys, persistent, types, writtenBy, role, window } = redis;
  const kinds = Object.entries(types).map(([type, count]) => `${count} ${type}`);
  const list = kinds.length === 0 ? '' : ` (${kinds.join(', ')})`;
  const since = window === undefined ? [] : [windowText(window)];
  return [
    ...since,
    `  ${counted(keys, 'key')}${window === undefined ? '' : ' in the newest base'}${list}, ${persistent} never expire; from the ${role}, ${writtenBy}`,
  ];
}

function windowText({ from, isTimed, joins }: NonNullable<NonNullable<SnapshotSummary['redis']>['window']>): string {
  const which = isTimed ? 'any second' : 'the beginnings of its sets, and its end,';
  const before = joins ? '; it joins the capture before' : '';
  return `  ${which} since ${from} can be restored${before}`;
}
