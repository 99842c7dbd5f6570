// What giving back data of Redis would do, and what it did, as the person who must say yes to it reads it.

import type { SnapshotSummary } from '../../domain/component-report.ts';
import type { RedisPlan, RedisRestored } from '../../domain/redis-restore.ts';
import { blockerLines } from './plan.ts';
import { bytesText, counted, durationMsText, fullTime } from './words.ts';

export function renderRedisPlan(plan: RedisPlan, zone: string): string[] {
  const { snapshot, mode, way, keys, sizeBytes, space } = plan;
  const head =
    mode === 'beside'
      ? 'beside'
      : way === 'stopped'
        ? 'in place, into the stopped server'
        : 'in place, into the running server';
  const lines = [
    `plan  ${head}, ${counted(keys, 'key')} in ${bytesText(sizeBytes)} from ${snapshot.copy}`,
    `      gives back ${plan.component} as of ${fullTime(snapshot.to, zone)}${skewText(plan)}, written by ${plan.writtenBy}`,
    `      asked for ${plan.requested}: snapshot ${snapshot.id}`,
    ...placeLines(plan),
    `      ${overText(plan)}`,
  ];
  if (space) lines.push(`      needs ${bytesText(space.neededBytes)}, ${bytesText(space.availableBytes)} are free`);
  for (const warning of plan.warnings) lines.push(`      warning: ${warning}`);
  lines.push(...blockerLines(plan.blockers));
  lines.push(`      digest ${plan.digest}`);
  return lines;
}

function skewText({ snapshot: { skewSeconds } }: RedisPlan): string {
  if (skewSeconds === undefined) return '';
  return `, ${durationMsText(skewSeconds * 1000)} before the moment that was asked for`;
}

function placeLines({ mode, way, directory, host, start, server, pattern, isAppendOnly }: RedisPlan): string[] {
  if (mode === 'beside') {
    return [
      `      into ${directory} on ${host}${start ? ', and starts a server there on a socket' : ''}; production is not touched`,
    ];
  }
  const where = server === undefined ? '' : `${server.where}, version ${server.version}`;
  if (way === 'stopped') {
    const files = isAppendOnly ? ' with append-only files of the same data' : '';
    const place = directory ?? 'its data directory, which the configuration does not name,';
    return [`      in ${place} on ${host}${files}; what was there is kept until you confirm`];
  }
  if (way === 'keys') {
    return [
      `      only keys that match '${pattern}' and differ, in ${where}; keys that the snapshot does not have stay`,
      '      what they were is kept until you confirm',
    ];
  }
  return [
    `      all data of ${where} is exchanged; clients that write wait meanwhile, and its replicas receive everything anew`,
    '      what it has by then is kept until you confirm',
  ];
}

function overText({ over: { least, most } }: RedisPlan): string {
  if (most === 0) return 'no key has its time over';
  const count = least === most ? String(least) : `between ${least} and ${most}`;
  return `keys expire when they were to: the time of ${count} is over, and they do not come back`;
}

export function redisRestoredLines(restored: RedisRestored, state: string, zone: string): string[] {
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
  if (replaced) {
    const { matching, create, replace, surplus } = replaced;
    lines.push(
      `  ${matching} match: ${create} made, ${replace} replaced, the others were the same; ${surplus} that the snapshot does not have stay`,
    );
  }
  if (connection !== undefined) lines.push(`  server at ${connection}`);
  if (keptAt !== undefined && state === 'completed') {
    lines.push(`  what was there is kept in ${keptAt}`);
    lines.push(`next: 'holdfast confirm ${id}' when all is well, 'holdfast rollback ${id}' to go back`);
  } else if (connection !== undefined) lines.push(`next: 'holdfast stop ${id}' ends this server`);
  return lines;
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
