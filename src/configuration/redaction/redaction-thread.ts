// One thread that looks for secrets, as its owner sees it: asked, answered, or ended because it took too long.

import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Answer, Calls } from './redaction-worker.ts';
import type { RedactorOptions } from './redactor.ts';

/** The sources are run as they are, the package compiled: the worker's file has this one's extension. */
const ENTRY = new URL(`./redaction-worker${extname(fileURLToPath(import.meta.url))}`, import.meta.url);
/** A text that makes it need more ends the thread, not the process. */
const MEMORY_MIB = 1024;

export type Outcome<Answers> =
  | { readonly state: 'answered'; readonly answers: Answers }
  /** It could not, and is there for the next. */
  | { readonly state: 'failed' }
  /** Of no use any more: took too long, died, or was not wanted any more. */
  | { readonly state: 'late' | 'died' | 'cancelled' };

export class RedactionThread {
  readonly #worker: Worker;

  constructor(options: RedactorOptions) {
    const resourceLimits = { maxOldGenerationSizeMb: MEMORY_MIB };
    this.#worker = new Worker(ENTRY, { workerData: options, execArgv: [], resourceLimits });
    // Told by its end, too, which is what is listened to.
    this.#worker.on('error', () => undefined);
  }

  /** One question at a time. */
  async ask<Name extends keyof Calls>(
    call: Name,
    asks: Calls[Name]['asks'],
    { limitMs, signal }: { readonly limitMs: number; readonly signal?: AbortSignal },
  ): Promise<Outcome<Calls[Name]['answers']>> {
    const worker = this.#worker;
    return await new Promise((resolve) => {
      const settle = (outcome: Outcome<Calls[Name]['answers']>) => {
        clearTimeout(limit);
        worker.off('message', onMessage);
        worker.off('exit', onExit);
        signal?.removeEventListener('abort', onAbort);
        resolve(outcome);
      };
      const onMessage = (answer: Answer) =>
        settle(
          'failed' in answer
            ? { state: 'failed' }
            : { state: 'answered', answers: answer.answers as Calls[Name]['answers'] },
        );
      const onExit = () => settle({ state: 'died' });
      const onAbort = () => settle({ state: 'cancelled' });
      const limit = setTimeout(() => settle({ state: 'late' }), limitMs);
      worker.on('message', onMessage);
      worker.on('exit', onExit);
      signal?.addEventListener('abort', onAbort, { once: true });
      worker.postMessage({ call, asks });
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
