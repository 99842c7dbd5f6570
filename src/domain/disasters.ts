// What would be lost with a host, a site or an account: only the copies that survive it count, each with the log that it has.

import { type Moment, secondsBetween } from './moment.ts';

export const disasterKinds = ['host', 'site', 'account'] as const;

export interface Disaster {
  readonly kind: (typeof disasterKinds)[number];
  /** Name of what is lost. */
  readonly lost: string;
  /** `survives`: the database is elsewhere, and only copies are lost. */
  readonly database: 'lost' | 'survives';
  /** Copies that are left, whatever they hold. None and the database lost: everything is. */
  readonly survivors: readonly string[];
  /** Seconds of changes that would be lost now; absent when the database survives, and when no survivor says what it has. */
  readonly nowSeconds?: number;
}

export interface CopyAtRisk {
  readonly copy: string;
  readonly site: string;
  /** Absent: it is in nobody's account. */
  readonly account?: string;
  /** A directory, which goes down with the machines of its site. */
  readonly isDirectory: boolean;
  /** Newest moment that this copy alone could recover; absent when it has none, or cannot say. */
  readonly to?: Moment;
}

export interface DisasterQuestion {
  readonly host: string;
  readonly site: string;
  /** Of the database's site. */
  readonly account?: string;
  readonly copies: readonly CopyAtRisk[];
  readonly now: Moment;
}

/**
 * The database's host, its site, and each account that holds a copy, in this order. A directory at the database's own site is taken to go
 * down with its host: unknown is never good.
 */
export function disastersOf(question: DisasterQuestion): Disaster[] {
  const { host, site, account, copies } = question;
  const accounts = [...new Set([account, ...copies.map((copy) => copy.account)])].filter((name) => name !== undefined);
  return [
    judge(question, 'host', host, true, (copy) => copy.isDirectory && copy.site === site),
    judge(question, 'site', site, true, (copy) => copy.site === site),
    ...accounts
      .sort()
      .map((name) => judge(question, 'account', name, name === account, (copy) => goesWith(question, copy, name))),
  ];
}

/** A directory at a site whose account is lost is on a machine of that account. */
function goesWith({ site, account }: DisasterQuestion, copy: CopyAtRisk, lost: string): boolean {
  return copy.account === lost || (lost === account && copy.isDirectory && copy.site === site);
}

function judge(
  { copies, now }: DisasterQuestion,
  kind: Disaster['kind'],
  lost: string,
  isDatabaseLost: boolean,
  isLost: (copy: CopyAtRisk) => boolean,
): Disaster {
  const left = copies.filter((copy) => !isLost(copy));
  const database = isDatabaseLost ? 'lost' : 'survives';
  const disaster = { kind, lost, database, survivors: left.map(({ copy }) => copy) } as const;
  const ends = left.flatMap(({ to }) => (to === undefined ? [] : [to])).sort();
  const newest = ends.at(-1);
  if (!isDatabaseLost || newest === undefined) return disaster;
  return { ...disaster, nowSeconds: Math.max(0, secondsBetween(newest, now)) };
}
