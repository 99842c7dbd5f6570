// The journal of a restore: each step before it begins, and again when it is done, synced to the disk; whoever was fenced meanwhile writes nothing.

import { readFile } from 'node:fs/promises';
import { fail, isHoldfastError } from '../../errors/index.ts';
import { appendLine } from '../../system/index.ts';

type Data = Readonly<Record<string, unknown>>;

interface Line<Step extends string> {
  readonly at: string;
  readonly step: Step;
  readonly state: 'begin' | 'done';
  readonly data?: Data;
}

export class RestoreJournal<Step extends string> {
  readonly #file: string;
  readonly #lines: Line<Step>[];
  readonly #check: () => Promise<void>;
  #isGoingBack = false;

  private constructor(file: string, lines: Line<Step>[], check: () => Promise<void>) {
    this.#file = file;
    this.#lines = lines;
    this.#check = check;
  }

  /**
   * Empty where there is none. A last line that a crash cut off was never acted on. Throws `JOURNAL_STATE` for any other that cannot be read.
   * `check` throws when whoever opens it may not go on; default: it is only read.
   */
  static async open<Step extends string>(
    file: string,
    check: () => Promise<void> = () => Promise.resolve(),
  ): Promise<RestoreJournal<Step>> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line, number) => parsed<Step>(line, `line ${number + 1} of '${file}'`));
    return new RestoreJournal(file, lines, check);
  }

  hasBegun(step: Step): boolean {
    return this.#lines.some((line) => line.step === step);
  }

  isDone(step: Step): boolean {
    return this.#lines.some((line) => line.step === step && line.state === 'done');
  }

  dataOf(step: Step): Data | undefined {
    return this.allDataOf(step).at(-1);
  }

  /** Oldest first. */
  allDataOf(step: Step): readonly Data[] {
    return this.#lines.flatMap((line) => (line.step === step && line.data !== undefined ? [line.data] : []));
  }

  /** To be asked right before what destroys. Throws `FENCED`, and what else `check` does. */
  async check(): Promise<void> {
    await this.#ask(this.#isGoingBack);
  }

  /** From here on only a newer attempt stops it: the way back must not depend on a store that answers. */
  goBack(): void {
    this.#isGoingBack = true;
  }

  /** A step that is done is not done again. What the work gives, if anything, is written down. */
  async step(step: Step, work: () => Promise<unknown>): Promise<void> {
    if (!this.isDone(step)) await this.again(step, work);
  }

  /** The same, also when it was done before: the last one counts. */
  async again(step: Step, work: () => Promise<unknown>): Promise<void> {
    await this.#append(step, 'begin', undefined);
    const data = await work();
    await this.note(step, typeof data === 'object' && data !== null ? { ...data } : undefined);
  }

  /** What was done. */
  async note(step: Step, data: Data | undefined): Promise<void> {
    await this.#append(step, 'done', data);
  }

  async #ask(onlyFenced: boolean): Promise<void> {
    try {
      await this.#check();
    } catch (error) {
      if (!onlyFenced || isHoldfastError(error, 'FENCED')) throw error;
    }
  }

  /** What was done is true whether a store answers or not, so only a newer attempt keeps it from being written. */
  async #append(step: Step, state: 'begin' | 'done', data: Data | undefined): Promise<void> {
    await this.#ask(true);
    const line: Line<Step> = { at: new Date().toISOString(), step, state, ...(data && { data }) };
    await appendLine(this.#file, JSON.stringify(line));
    this.#lines.push(line);
  }
}

function parsed<Step extends string>(line: string, what: string): Line<Step> {
  try {
    return JSON.parse(line) as Line<Step>;
  } catch {
    return fail('JOURNAL_STATE', `${what} cannot be read`, {
      hint: 'nothing was touched; what was there before lies beside the journal',
    });
  }
}
