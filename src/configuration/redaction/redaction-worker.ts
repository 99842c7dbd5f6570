// The thread that looks for secrets: a pattern that takes for ever holds up nobody else, and the thread can be ended.

import { parentPort, workerData } from 'node:worker_threads';
import { type Original, Redactor, type RedactorOptions, type ShortText } from './redactor.ts';
import type { Span } from './span.ts';

/** What the thread is asked, by name, and what it answers. */
export interface Calls {
  readonly know: { readonly asks: readonly string[]; readonly answers: undefined };
  readonly find: { readonly asks: Pick<Original, 'text' | 'path'>; readonly answers: ReturnType<Redactor['find']> };
  readonly write: {
    readonly asks: { readonly original: Original; readonly spans: readonly Span[] };
    readonly answers: ReturnType<Redactor['write']>;
  };
  readonly difference: { readonly asks: string; readonly answers: ReturnType<Redactor['difference']> };
  readonly words: { readonly asks: ShortText; readonly answers: ReturnType<Redactor['words']> };
}

export type Call = { [Name in keyof Calls]: { readonly call: Name; readonly asks: Calls[Name]['asks'] } }[keyof Calls];

/** What went wrong stays here: words of an error may quote the text. */
export type Answer = { readonly answers: unknown } | { readonly failed: true };

const redactor = new Redactor(workerData as RedactorOptions);

function answer(asked: Call): unknown {
  switch (asked.call) {
    case 'know':
      return redactor.know(asked.asks);
    case 'find':
      return redactor.find(asked.asks);
    case 'write':
      return redactor.write(asked.asks.original, asked.asks.spans);
    case 'difference':
      return redactor.difference(asked.asks);
    case 'words':
      return redactor.words(asked.asks);
  }
}

parentPort?.on('message', (asked: Call) => {
  let message: Answer;
  try {
    message = { answers: answer(asked) };
  } catch {
    message = { failed: true };
  }
  parentPort?.postMessage(message);
});
