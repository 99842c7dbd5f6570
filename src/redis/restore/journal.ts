// The journal of a restore: each step before it begins, and again when it is done, synced to the disk.

import { readFile } from 'node:fs/promises';
import { fail } from '../../errors/index.ts';
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

  private constructor(file: string, lines: Line<Step>[]) {
    this.#file = file;
    this.#lines = lines;
  }

  /** Empty where there is none. A last line that a crash cut off was never acted on. Throws `JOURNAL_STATE` for any other that cannot be read. */
  static async open<Step extends string>(file: string): Promise<RestoreJournal<Step>> {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return '';
      throw error;
    });
    const lines = text
      .split('\n')
      .slice(0, -1)
      .map((line, number) => parsed<Step>(line, `line ${number + 1} of '${file}'`));
    return new RestoreJournal(file, lines);
  }

  get isEmpty(): boolean {
    return this.#lines.length === 0;
  }

  hasBegun(step: Step): boolean {
    return this.#lines.some((line) => line.step === step);
  }

  isDone(step: Step): boolean {
    return this.#lines.some((line) => line.step === step && line.state === 'done');
  }

  dataOf(step: Step): Data | undefined {
    return this.#lines.findLast((line) => line.step === step && line.data !== undefined)?.data;
  }

  /** A step that is done is not done again. What the work gives, if anything, is written down. */
  async step(step: Step, work: () => Promise<unknown>): Promise<void> {
    if (this.isDone(step)) return;
    await this.#append({ at: new Date().toISOString(), step, state: 'begin' });
    const data = await work();
    await this.#append({
      at: new Date().toISOString(),
      step,
      state: 'done',
      ...(typeof data === 'object' && data !== null && { data: { ...data } }),
    });
  }

  /** What was done anew, although it was done before: the last one counts. */
  async note(step: Step, data: Data): Promise<void> {
    await this.#append({ at: new Date().toISOString(), step, state: 'done', data });
  }

  async #append(line: Line<Step>): Promise<void> {
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
