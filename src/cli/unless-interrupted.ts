// A question that may take long, and a person who may give it up: ^C ends the waiting, and with the connection that is closed then the question itself.

import { HoldfastError } from '../errors/index.ts';
import type { Context } from './context.ts';

/** Rejects with `CANCELLED` at an interrupt. */
export async function unlessInterrupted<Value>({ io }: Pick<Context, 'io'>, asked: Promise<Value>): Promise<Value> {
  const interrupted = Promise.withResolvers<never>();
  const release = io.onInterrupt(() => {
    const hint = 'the question is cancelled on its host; nothing was changed';
    interrupted.reject(new HoldfastError('CANCELLED', 'the answer is not waited for any more', { hint }));
  });
  try {
    return await Promise.race([asked, interrupted.promise]);
  } finally {
    release();
  }
}
