// The journal of a run in a root: each step on the disk before it begins, and again when it is done.

import { readFile } from 'node:fs/promises';
import { fail } from '../../errors/index.ts';
import { appendLine } from '../../system/index.ts';

export type Step = 'list' | 'stage' | 'exchange' | 'confirm' | 'rollback';

export interface JournalLine {
  readonly at: string;
  readonly step: Step;
  readonly state: 'begin' | 'done';
  readonly data?: Readonly<Record<string, unknown>>;
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
  #lines: JournalLine[];

  private constructor(file: string, lines: JournalLine[]) {
    this.#file = file;
    this.#lines = lines;
  }

  /** Empty where there is none. A last line that a crash cut off was never acted on. Throws `JOURNAL_STATE` for any other that cannot be read. */
  static async open(file: string): Promise<RunJournal> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const lines = text.split('\n').slice(0, -1);
    return new RunJournal(
      file,
      lines.map((line, number) => parsed(line, `line ${number + 1} of '${file}'`)),
    );
  }

  isDone(step: Step): boolean {
    return this.#lines.some((line) => line.step === step && line.state === 'done');
  }

  hasBegun(step: Step): boolean {
    return this.#lines.some((line) => line.step === step);
  }

  dataOf(step: Step): Readonly<Record<string, unknown>> | undefined {
    return this.#lines.findLast((line) => line.step === step && line.data !== undefined)?.data;
  }

  get phase(): Phase {
    if (this.hasBegun('rollback')) return this.isDone('rollback') ? 'rolled back' : 'rolling back';
    if (this.hasBegun('confirm')) return this.isDone('confirm') ? 'confirmed' : 'confirming';
    if (this.hasBegun('exchange')) return this.isDone('exchange') ? 'exchanged' : 'exchanging';
    return 'preparing';
  }

  /** A step that is done is not done again. */
  async step(step: Step, work: () => Promise<Readonly<Record<string, unknown>> | undefined>): Promise<void> {
    if (this.isDone(step)) return;
    await this.#append({ at: new Date().toISOString(), step, state: 'begin' });
    const data = await work();
    await this.#append({ at: new Date().toISOString(), step, state: 'done', ...(data && { data }) });
  }

  async #append(line: JournalLine): Promise<void> {
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
