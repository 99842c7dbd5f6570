// The copies of the vault as this host sees them: what each holds and lacks, what is asked of its store, and the rule that they keep together.

import { statfs } from 'node:fs/promises';
import type { Configuration } from '../../config/index.ts';
import type { ComponentCopy, ComponentStatus, Finding } from '../domain/component-report.ts';
import type { CopiesReport, CopyHoldings, CopyStatus, HeadsReport } from '../domain/copies-report.ts';
import { type CopyVerified, worstVerified } from '../domain/copy-verified.ts';
import { judgeRule, type RuledCopy, type RuleVerdict } from '../domain/three-two-one.ts';
import { fromErrorData } from '../errors/index.ts';
import type { CopyCondition, SnapshotOnCopies, Vault } from '../vault/index.ts';

export interface CopiesFacts {
  readonly vault: Vault;
  readonly configuration: Configuration;
  /** Of every configured component, with its snapshots newest first. */
  readonly components: readonly { readonly status: ComponentStatus; readonly snapshots: readonly SnapshotOnCopies[] }[];
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

function verifiedOn({ components }: CopiesFacts, copy: string): CopyVerified | undefined {
  const own = components.map(({ status }) => status.copies.find((each) => each.copy === copy)?.verified);
  const known = own.filter((each) => each !== undefined);
  return known.length < own.length ? undefined : worstVerified(known);
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
    ...(verified === undefined ? {} : { verified }),
  };
}

/** Said once, however many digits it is about: what was given and is gone makes it a warning, what the configuration never gave a hint. */
function ruleFindings({ digits, words }: RuleVerdict): Finding[] {
  const told = (['lost', 'unmet'] as const).map((state) => digits.filter((each) => each.state === state));
  const [lost = [], unmet = []] = told;
  const own = [...lost, ...unmet];
  if (own.length === 0) return [];
  const said = (some: typeof own) => some.map(({ name, message }) => `${name} (${message})`).join(', ');
  const never = lost.length > 0 && unmet.length > 0 ? `; never kept: ${said(unmet)}` : '';
  return [
    {
      severity: lost.length > 0 ? 'warning' : 'hint',
      message: `the copies ${lost.length > 0 ? 'do not now' : 'do not'} keep all of 3-2-1-1-0, but ${words}: ${said(lost.length > 0 ? lost : unmet)}${never}`,
      hint: [...new Set(own.flatMap(({ hint }) => hint ?? []))].join('; '),
    },
  ];
}
