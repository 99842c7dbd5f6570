// The copies of the vault as this host sees them: what each holds and lacks, what is asked of its store, and the rule that they keep together.

import { statfs } from 'node:fs/promises';
import type { Configuration } from '../../config/index.ts';
import type { ComponentCopy, ComponentStatus, CopyHoldings, CopyStatus, Finding } from '../domain/client.ts';
import type { CopiesReport, HeadsReport } from '../domain/copies-report.ts';
import { type Moment, momentFromDate } from '../domain/moment.ts';
import type { RunStatus } from '../domain/operations.ts';
import { type ProofLevel, proofLevels, type Verdict } from '../domain/states.ts';
import { judgeRule, type RuledCopy, type RuleVerdict } from '../domain/three-two-one.ts';
import { fromErrorData } from '../errors/index.ts';
import type { CopyCondition, SnapshotOnCopies, Vault } from '../vault/index.ts';

export interface CopiesFacts {
  readonly vault: Vault;
  readonly configuration: Configuration;
  /** Of every configured component, with its snapshots newest first. */
  readonly components: readonly { readonly status: ComponentStatus; readonly snapshots: readonly SnapshotOnCopies[] }[];
  /** Newest first. */
  readonly runs: readonly RunStatus[];
  readonly heads: HeadsReport;
}

/** Worst last. */
const states: readonly ComponentCopy['state'][] = ['complete', 'behind', 'away', 'unknown'];

export async function readCopies(facts: CopiesFacts): Promise<CopiesReport> {
  const { vault, heads } = facts;
  const conditions = await vault.conditions();
  const copies = await Promise.all(
    vault.copies.map(async (description) => {
      const { name: copy, ...place } = description;
      const condition = conditions.find(({ name }) => name === copy);
      return { copy, ...place, ...reached(condition), ...(await describe(facts, copy, condition)) };
    }),
  );
  const rule = judgeRule(copies.map(ruled));
  return { copies, rule, heads, findings: ruleFindings(rule) };
}

function reached(condition: CopyCondition | undefined): Pick<CopyStatus, 'state' | 'error'> {
  if (condition?.state === 'ready') return { state: 'ready' };
  return { state: 'away', ...(condition === undefined ? {} : { error: fromErrorData(condition.error).toJSON() }) };
}

async function describe(
  facts: CopiesFacts,
  copy: string,
  condition: CopyCondition | undefined,
): Promise<Partial<CopyStatus>> {
  const settings = facts.configuration.vault.copies[copy];
  const { lock, storageClass, sse } = settings?.s3 ?? {};
  const asked = {
    ...(lock === undefined ? {} : { lock }),
    ...(storageClass === undefined ? {} : { storageClass }),
    ...(sse === undefined ? {} : { sse }),
  };
  if (condition?.state !== 'ready') return asked;
  const verified = verifiedOn(facts, copy);
  const freeBytes = settings?.file === undefined ? undefined : await freeIn(settings.file);
  return {
    ...asked,
    holds: holdingsOf(facts, copy),
    ...(verified === undefined ? {} : { verified }),
    ...(freeBytes === undefined ? {} : { freeBytes }),
  };
}

function holdingsOf({ components }: CopiesFacts, copy: string): CopyHoldings {
  const own = components.map(({ status }) => status.copies.find((each) => each.copy === copy));
  const ranks = own.map((each) => states.indexOf(each?.state ?? 'unknown'));
  const snapshots = components.flatMap(({ snapshots: all }) => all.filter(({ copies }) => copies[copy] === 'present'));
  const [newest] = snapshots.toSorted((a, b) => (a.to < b.to ? 1 : -1));
  const sum = (of: (each: ComponentCopy) => number | undefined) =>
    own.reduce((total, each) => total + ((each && of(each)) ?? 0), 0);
  return {
    state: states[Math.max(0, ...ranks)] ?? 'unknown',
    snapshots: snapshots.length,
    ...(newest === undefined ? {} : { newest: { id: newest.id, to: newest.to } }),
    snapshotsBehind: sum(({ snapshotsBehind }) => snapshotsBehind),
    logBehindBytes: sum(({ logBehindBytes }) => logBehindBytes),
    logBehindSeconds: Math.max(0, ...own.map((each) => each?.logBehindSeconds ?? 0)),
  };
}

type Seen = NonNullable<CopyStatus['verified']>;

/** Of each component's newest snapshot what the newest run has seen of it on this copy; the worst of those. */
function verifiedOn({ components, runs }: CopiesFacts, copy: string): Seen | undefined {
  const seen = components.map(({ snapshots: [newest] }) => {
    for (const run of newest === undefined ? [] : runs) {
      const found = seenBy(run, newest?.id, copy);
      if (found !== undefined) return found;
    }
    return undefined;
  });
  const known = seen.filter((each) => each !== undefined);
  if (known.length < seen.length) return undefined;
  const rank = ({ state, level }: Seen) => (state === 'good' ? proofLevels.indexOf(level) : -1);
  return known.toSorted((a, b) => rank(a) - rank(b))[0];
}

function seenBy({ data, endedAt }: RunStatus, snapshot: string | undefined, copy: string): Seen | undefined {
  const { verified, snapshot: own } = (data ?? {}) as {
    snapshot?: { id: string };
    verified?: { level: ProofLevel; copies: Record<string, Verdict> };
  };
  const state = verified?.copies[copy];
  if (verified === undefined || state === undefined || own?.id !== snapshot || endedAt === undefined) return undefined;
  return { state, level: verified.level, at: momentFromDate(new Date(endedAt)) as Moment };
}

/** What a file system does not say is not known. */
async function freeIn(directory: string): Promise<number | undefined> {
  try {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}

function ruled({ copy, medium, offsite, state, holds, lock, verified }: CopyStatus): RuledCopy {
  return {
    ...{ copy, medium, offsite },
    state: state === 'away' ? 'away' : (holds?.state ?? 'unknown'),
    ...(lock === undefined ? {} : { lock: {} }),
    verified: verifiedWord(verified),
  };
}

function verifiedWord(verified: Seen | undefined): RuledCopy['verified'] {
  if (verified === undefined || verified.state === 'not checked') return 'not checked';
  if (verified.state !== 'good') return 'damaged';
  return proofLevels.indexOf(verified.level) < proofLevels.indexOf('hashed') ? 'listed' : 'good';
}

/** What was given and is gone is a warning; what the configuration never gave is a hint. Each once, however many digits it is about. */
function ruleFindings({ digits, words }: RuleVerdict): Finding[] {
  return (['lost', 'unmet'] as const).flatMap((state) => {
    const own = digits.filter((each) => each.state === state);
    if (own.length === 0) return [];
    const said = own.map(({ name, message }) => `${name} (${message})`).join(', ');
    const verb = state === 'lost' ? 'do not now' : 'do not';
    return [
      {
        severity: state === 'lost' ? 'warning' : 'hint',
        message: `the copies ${verb} keep all of 3-2-1-1-0, but ${words}: ${said}`,
        hint: [...new Set(own.flatMap(({ hint }) => hint ?? []))].join('; '),
      },
    ];
  });
}
