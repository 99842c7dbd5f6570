// A server that goes down: it asks again and again how far we are and waits for all of its log, also for copies that take none.

/** Durable log that stands still for so long keeps no server from going down; its slot keeps the log. Programs that stop one give it a minute or so. */
const LET_GO_AFTER_MS = 10_000;
/** Asking that pauses for so long is not a server that waits: it asks anew with every answer. */
const PAUSE_MS = 5_000;

/** A running server has no reason to ask a receiver that reports every second (PostgreSQL 15 to 18, walsender: `WalSndDone`). */
export class GoingDown {
  #askedMs = 0;
  #sinceMs = 0;
  #durable: bigint | undefined;

  /**
   * The server asked, having sent all it has; `durable` is what it is told. `true` when it has waited long enough in vain. `nowMs`: of a monotonic clock.
   */
  asked(durable: bigint | undefined, nowMs: number): boolean {
    if (nowMs - this.#askedMs > PAUSE_MS || durable !== this.#durable) this.#sinceMs = nowMs;
    this.#askedMs = nowMs;
    this.#durable = durable;
    return nowMs - this.#sinceMs >= LET_GO_AFTER_MS;
  }
}
