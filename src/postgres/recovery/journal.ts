// The journal beside a data directory: every destructive step, on the disk before it begins and again when it is done.

import { readdir } from 'node:fs/promises';
import path from 'node:path';
import type { ComponentId } from '../../domain/component.ts';
import type { JournalPhase } from '../../domain/standalone.ts';
import { fail } from '../../errors/index.ts';
import { appendLine } from '../../system/index.ts';
import type { RestoreExecution, RestorePlan } from '../types.ts';
import { ifAbsent, readIfThere } from './durable-files.ts';
import { holdfastDirectory, type RestorePaths, restorePaths } from './paths.ts';

export interface JournalEntry {
  readonly at: string;
  readonly run: string;
  /** Fencing token of the lease under which the step is taken; a smaller one than before is refused. */
  readonly token: number;
  readonly step: string;
  readonly state: 'begin' | 'done' | 'undone';
  readonly data?: Readonly<Record<string, unknown>>;
}

/** The first line: enough to finish or to undo with nothing but the journal. */
export interface JournalHead {
  readonly run: string;
  readonly estate: string;
  readonly component: ComponentId;
  readonly digest: string;
  readonly mode: RestorePlan['place']['mode'];
  readonly dataDirectory: string;
  readonly keepOldAt?: string;
  /** The data directory stays, its entries are exchanged. */
  readonly inside?: true;
  /** Beside, and only there for a while. */
  readonly throwaway?: true;
  readonly workDirectory: string;
  readonly systemId: string;
  readonly timeline: number;
  readonly production?: NonNullable<RestorePlan['production']>;
  readonly execution: RestoreExecution;
}

/** What a step that harms must hold: the token written with it, and a question asked right before it. */
export interface Guard {
  readonly token: number;
  /** Throws `FENCED` when somebody else holds the lease by now. */
  readonly check?: () => Promise<void>;
  /** Aborted, with the error to act on, once lease or lock are lost: long work between two checks ends then. */
  readonly lost?: AbortSignal;
  /** The lock file that is held around this call already. */
  readonly locked?: string;
  /** Told after an entry is on the disk. */
  readonly onEntry?: (entry: JournalEntry) => void;
}

export function journalHead(plan: RestorePlan): JournalHead {
  const { run, estate, component, digest, place, workDirectory, source, resolved, production, execution } = plan;
  return {
    run,
    estate,
    component,
    digest,
    mode: place.mode,
    dataDirectory: place.dataDirectory,
    ...(place.mode === 'in place' ? { keepOldAt: place.keepOldAt, ...(place.inside && { inside: place.inside }) } : {}),
    ...(place.mode === 'beside' && place.throwaway ? { throwaway: true } : {}),
    workDirectory,
    systemId: source.systemId,
    timeline: resolved.timeline,
    ...(production === undefined ? {} : { production }),
    execution,
  };
}

/** All whole lines. A last line that was cut off by a crash was never acted on; anywhere else a bad line is an alarm. */
export function parseJournal(text: string, file: string): readonly JournalEntry[] {
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line, index) => {
    try {
      return JSON.parse(line) as JournalEntry;
    } catch {
      return fail('JOURNAL_STATE', `line ${index + 1} of '${file}' cannot be read`, {
        hint: 'nothing was touched; look at the file and at both directories, and undo by hand',
      });
    }
  });
}

export class Journal {
  readonly head: JournalHead;
  readonly paths: RestorePaths;
  private readonly guard: Guard;
  private entries: readonly JournalEntry[];

  private constructor(head: JournalHead, paths: RestorePaths, guard: Guard, entries: readonly JournalEntry[]) {
    this.head = head;
    this.paths = paths;
    this.guard = guard;
    this.entries = entries;
  }

  /** Opens the journal of a run; with a `head` it is begun when there is none. Call it under the lock. Throws `FENCED`, `JOURNAL_STATE`. */
  static async open(paths: RestorePaths, guard: Guard, head?: JournalHead): Promise<Journal> {
    const text = await readIfThere(paths.journal);
    const entries = text === undefined ? [] : parseJournal(text, paths.journal);
    const first = entries[0]?.data as JournalHead | undefined;
    if (first === undefined) {
      if (head === undefined) fail('JOURNAL_STATE', `there is no journal '${paths.journal}'`);
      const journal = new Journal(head, paths, guard, []);
      await journal.append('plan', 'done', { ...head });
      return journal;
    }
    if (head !== undefined && head.digest !== first.digest) {
      fail('PLAN_CHANGED', `'${paths.journal}' belongs to another plan`, { hint: 'abandon that run first' });
    }
    const highest = Math.max(...entries.map(({ token }) => token));
    if (guard.token < highest) fail('FENCED', `a newer run has written into '${paths.journal}'`);
    return new Journal(first, paths, guard, entries);
  }

  /** When its last line was written. */
  get lastAt(): string {
    return this.entries.at(-1)?.at ?? '';
  }

  is(step: string, state: JournalEntry['state']): boolean {
    return this.entries.findLast((entry) => entry.step === step)?.state === state;
  }

  has(step: string): boolean {
    return this.entries.some((entry) => entry.step === step);
  }

  dataOf(step: string): Readonly<Record<string, unknown>> | undefined {
    return this.entries.findLast((entry) => entry.step === step && entry.data !== undefined)?.data;
  }

  get warnings(): readonly string[] {
    return swapWarnings(this.entries);
  }

  get phase(): JournalPhase {
    return phaseOf(this.entries);
  }

  /** Announces a step, does it, says that it is done. A step that is done is not done again. */
  async step(
    name: string,
    work: () => Promise<Readonly<Record<string, unknown>> | undefined>,
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    if (this.is(name, 'done')) return;
    await this.guard.check?.();
    await this.append(name, 'begin', data);
    await this.append(name, 'done', await work());
  }

  async append(step: string, state: JournalEntry['state'], data?: Readonly<Record<string, unknown>>): Promise<void> {
    const { run } = this.head;
    const at = new Date().toISOString();
    const entry = { at, run, token: this.guard.token, step, state, ...(data === undefined ? {} : { data }) };
    await appendLine(this.paths.journal, JSON.stringify(entry));
    this.entries = [...this.entries, entry];
    this.guard.onEntry?.(entry);
  }
}

function phaseOf(entries: readonly JournalEntry[]): JournalPhase {
  const last = (step: string) => entries.findLast((entry) => entry.step === step)?.state;
  if (last('abandon') === 'done') return 'abandoned';
  if (last('confirm') !== undefined) return last('confirm') === 'done' ? 'confirmed' : 'confirming';
  if (last('rollback') !== undefined) return last('rollback') === 'done' ? 'rolled back' : 'rolling back';
  if (last('swap') !== undefined) return last('swap') === 'done' ? 'swapped' : 'swapping';
  return last('finish') === 'done' ? 'finished' : 'preparing';
}

export interface JournalState {
  readonly run: string;
  readonly phase: JournalPhase;
  readonly head: JournalHead;
  readonly lastStep: { readonly step: string; readonly state: JournalEntry['state']; readonly at: string };
  readonly token: number;
  /** When the swap was done. */
  readonly swappedAt?: string;
  /** Of a finished swap: what the person has to mend, in words. */
  readonly warnings: readonly string[];
}

/** Every run that has a journal beside this directory, oldest first. Reads only. */
export async function journalStates(dataDirectory: string): Promise<readonly JournalState[]> {
  const directory = path.join(holdfastDirectory(dataDirectory), 'journal');
  const names = (await readdir(directory).catch(ifAbsent([]))).filter((name) => name.endsWith('.jsonl'));
  const states: JournalState[] = [];
  for (const name of names) {
    const state = await stateOf(dataDirectory, name.slice(0, -'.jsonl'.length));
    if (state !== undefined) states.push(state);
  }
  return states.sort((a, b) => (a.lastStep.at < b.lastStep.at ? -1 : 1));
}

async function stateOf(dataDirectory: string, run: string): Promise<JournalState | undefined> {
  const file = restorePaths(dataDirectory, run).journal;
  const entries = parseJournal((await readIfThere(file)) ?? '', file);
  const [first, last] = [entries[0], entries.at(-1)];
  if (first === undefined || last === undefined) return undefined;
  const token = Math.max(...entries.map((entry) => entry.token));
  const { step, state, at } = last;
  const swappedAt = entries.findLast((entry) => entry.step === 'swap' && entry.state === 'done')?.at;
  return {
    ...(swappedAt === undefined ? {} : { swappedAt }),
    run,
    phase: phaseOf(entries),
    head: first.data as unknown as JournalHead,
    lastStep: { step, state, at },
    token,
    warnings: swapWarnings(entries),
  };
}

/** What the steps of a swap have found and let pass. */
export function swapWarnings(entries: readonly JournalEntry[]): readonly string[] {
  return ['stop production', 'settings', 'verify'].flatMap((name) => {
    const found = entries.findLast(({ step, state }) => step === name && state === 'done')?.data?.warnings;
    return Array.isArray(found) ? (found as string[]) : [];
  });
}

/** The run named, whatever the journals of others are like, or the newest one. */
export async function journalState(dataDirectory: string, run?: string): Promise<JournalState | undefined> {
  return run === undefined ? (await journalStates(dataDirectory)).at(-1) : await stateOf(dataDirectory, run);
}
