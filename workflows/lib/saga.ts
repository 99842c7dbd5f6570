// Undo: registered before the deed, unwound newest first where no cancellation reaches, failures collected instead of thrown.

import { CancellationScope } from '@temporalio/workflow';
import type { ErrorData } from '../../src/errors/index.ts';
import { errorData } from './failure.ts';

interface Undo {
  readonly step: string;
  readonly run: () => Promise<unknown>;
}

/** An undo that failed: the run is stuck at it. */
export interface FailedUndo {
  readonly step: string;
  readonly error: ErrorData;
}

export interface Unwound {
  readonly undone: readonly string[];
  readonly failed: readonly FailedUndo[];
  /** Not tried, because what failed before them still needs what they would remove. */
  readonly left: readonly string[];
}

export class Saga {
  #undos: Undo[] = [];

  /** Call it before the step: a step that was killed half-way is undone too. `run` must accept that nothing was done yet. */
  before(step: string, run: () => Promise<unknown>): void {
    this.#undos.push({ step, run });
  }

  /** True when there is nothing to undo. */
  get isEmpty(): boolean {
    return this.#undos.length === 0;
  }

  /** From here on there is no way back by undo: what was done stays. */
  keep(): void {
    this.#undos = [];
  }

  /**
   * Undoes everything, newest first. A failed undo does not stop the older ones unless they would build on it: with `stopAtFailure`
   * (restores in place, where the older ones remove what the failed one still needs) the rest is left alone and named.
   */
  async unwind(stopAtFailure: boolean, on: (step: string, ok: boolean) => void): Promise<Unwound> {
    const undone: string[] = [];
    const failed: FailedUndo[] = [];
    await CancellationScope.nonCancellable(async () => {
      for (let undo = this.#undos.pop(); undo !== undefined; undo = this.#undos.pop()) {
        try {
          await undo.run();
          undone.push(undo.step);
          on(undo.step, true);
        } catch (error) {
          failed.push({ step: undo.step, error: errorData(error) });
          on(undo.step, false);
          if (stopAtFailure) break;
        }
      }
    });
    return { undone, failed, left: this.#undos.map((undo) => undo.step).reverse() };
  }
}
