// The pause of a server's writers: renewed as long as it is needed, and known to have held without a gap, or not.

import { fail } from '../../errors/index.ts';
import { RedisConnection, type RedisSource } from '../connection/index.ts';

/** Renewed long before its end, and short enough that a server whose pause nobody ends goes on soon. */
const PAUSE_MS = 30_000;
const RENEWALS = 3;

/** A worker that stands still renews nothing, and the pause ends by itself: a connection that lives is no proof that it held. */
export class WritePause {
  readonly #connection: RedisConnection;
  readonly #pauseMs: number;
  #sentAt: Instant | undefined;
  #hasHeld = true;

  constructor(connection: RedisConnection, pauseMs = PAUSE_MS) {
    this.#connection = connection;
    this.#pauseMs = pauseMs;
  }

  get renewMs(): number {
    return this.#pauseMs / RENEWALS;
  }

  /** The server counts from when it gets it, which is not before it was sent, and has got it when it answers. */
  async renew(): Promise<void> {
    const sentAt = now();
    await this.#connection.call('pause writes', 'CLIENT', 'PAUSE', this.#pauseMs, 'WRITE');
    this.#look();
    this.#sentAt = sentAt;
  }

  /** That no client has written from the first pause until now. Throws `RECOVERY_FAILED`. */
  requireHeld(): void {
    this.#look();
    if (this.#hasHeld) return;
    fail('RECOVERY_FAILED', `the pause of the writers of '${this.#connection.where}' ended by itself`, {
      hint: 'did this host or the server stand still for a while? clients may have written since what it has was kept',
    });
  }

  #look(): void {
    if (this.#sentAt !== undefined && elapsedMs(this.#sentAt) >= this.#pauseMs) this.#hasHeld = false;
  }
}

/** Runs `work` while clients that write wait. Their commands are kept by the server and go on afterwards. */
export async function paused<T>(
  source: RedisSource,
  pauseMs: number | undefined,
  work: (connection: RedisConnection, pause: WritePause) => Promise<T>,
): Promise<T> {
  const connection = await RedisConnection.open(source);
  const pause = new WritePause(connection, pauseMs);
  try {
    await pause.renew();
    // One that fails is a gap, which is asked for.
    const renewal = setInterval(() => void pause.renew().catch(() => undefined), pause.renewMs);
    try {
      return await work(connection, pause);
    } finally {
      clearInterval(renewal);
      await connection.ask('let writes go on', 'CLIENT', 'UNPAUSE').catch(() => undefined);
    }
  } finally {
    connection.close();
  }
}

interface Instant {
  readonly monotonicMs: number;
  readonly wallMs: number;
}

const now = (): Instant => ({ monotonicMs: performance.now(), wallMs: Date.now() });

/** The first does not count while a host sleeps, the second may be set: whichever says more. */
function elapsedMs({ monotonicMs, wallMs }: Instant): number {
  return Math.max(performance.now() - monotonicMs, Date.now() - wallMs);
}
