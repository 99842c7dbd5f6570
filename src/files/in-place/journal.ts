// The journal of a run in a root: each step on the disk before it begins, and again when it is done. It stays when the run is over.

import { readFile } from 'node:fs/promises';
import { fail } from '../../errors/index.ts';
import { appendLine } from '../../system/index.ts';
import type { RunPlace } from './place.ts';

/** `clear`: what the run kept is removed. */
export type Step = 'list' | 'stage' | 'exchange' | 'confirm' | 'rollback' | 'clear';

type Data = Readonly<Record<string, unknown>>;

export interface JournalLine {
  readonly at: string;
  /** Of whoever took the step; a smaller one than before is refused. */
  readonly token: number;
  readonly step: Step;
  readonly state: 'begin' | 'done';
  readonly data?: Data;
}

export type Phase =
  | 'preparing'
  | 'exchanging'
  | 'exchanged'
  | 'confirming'
  | 'confirmed'
  | 'rolling back'
  | 'rolled back';

export class RunJournal {
  readonly #file: string;
  #token = 0;
  #check: () => Promise<void> = () => Promise.resolve();
  #lines: JournalLine[];

  private constructor(file: string, lines: JournalLine[]) {
    this.#file = file;
    this.#lines = lines;
    this.#token = this.highestToken;
  }

  /** Empty where there is none. A last line that a crash cut off was never acted on. Throws `JOURNAL_STATE` for any other that cannot be read. */
  static async open({ journal, shown }: Pick<RunPlace, 'journal' | 'shown'>): Promise<RunJournal> {
    const text = await readFile(journal, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const lines = text.split('\n').slice(0, -1);
    return new RunJournal(
      journal,
      lines.map((line, number) => parsed(line, `line ${number + 1} of '${shown}/journal.jsonl'`)),
    );
  }

  /** What is written from now on is written with this token, after `check` was asked. Throws `FENCED` when a larger one has written already. */
  writeAs(token: number | undefined, run: string, check: () => Promise<void>): void {
    const highest = this.highestToken;
    if (token !== undefined && token < highest)
      fail('FENCED', `a newer attempt has written into the journal of '${run}'`);
    this.#token = token ?? highest;
    this.#check = check;
  }

  get highestToken(): number {
    return this.#lines.reduce((highest, { token }) => Math.max(highest, token), 0);
  }

  isDone(step: Step): boolean {
    return this.#lines.some((line) => line.step === step && line.state === 'done');
  }

  hasBegun(step: Step): boolean {
    return this.#lines.some((line) => line.step === step);
  }

  doneAt(step: Step): string | undefined {
    return this.#lines.find((line) => line.step === step && line.state === 'done')?.at;
  }

  /** Of its end, or, before that, of its beginning. */
  dataOf(step: Step): Data | undefined {
    return this.#lines.findLast((line) => line.step === step && line.data !== undefined)?.data;
  }

  /** When the last line was written; undefined for a run that has none. */
  get lastAt(): string | undefined {
    return this.#lines.at(-1)?.at;
  }

  get phase(): Phase {
    if (this.hasBegun('rollback')) return this.isDone('rollback') ? 'rolled back' : 'rolling back';
    if (this.hasBegun('confirm')) return this.isDone('confirm') ? 'confirmed' : 'confirming';
    if (this.hasBegun('exchange')) return this.isDone('exchange') ? 'exchanged' : 'exchanging';
    return 'preparing';
  }

  /** A step that is done is not done again. */
  async step(step: Step, work: () => Promise<Data | undefined>, begin?: Data): Promise<void> {
    if (this.isDone(step)) return;
    await this.#append(step, 'begin', begin);
    await this.#append(step, 'done', await work());
  }

  /** That it is to be done, before any of it is: nobody begins another end of the run from then on. */
  async begin(step: Step): Promise<void> {
    if (!this.hasBegun(step)) await this.#append(step, 'begin', undefined);
  }

  async #append(step: Step, state: JournalLine['state'], data: Data | undefined): Promise<void> {
    await this.#check();
    const line = { at: new Date().toISOString(), token: this.#token, step, state, ...(data && { data }) };
    await appendLine(this.#file, JSON.stringify(line));
    this.#lines = [...this.#lines, line];
  }
}

function parsed(line: string, what: string): JournalLine {
  try {
    return JSON.parse(line) as JournalLine;
  } catch {
    return fail('JOURNAL_STATE', `${what} cannot be read`, {
      hint: 'nothing was touched; what was there lies below the directory `old` beside it',
    });
  }
}
