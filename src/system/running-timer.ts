// Counts the time in which this process ran: a deadline that passes while it stood still says nothing about the other side.

/** So much of the time left is counted at once, however much later the process goes on (stopped, starved, its machine suspended). */
const STEP_MS = 1_000;
const STEPS = 10;

/** Fires its signal once it has run for so long; while something holds it, it does not run. */
export class RunningTimer {
  readonly #late = new AbortController();
  readonly #stepMs: number;
  #leftMs: number;
  #startedMs = 0;
  #holders = 0;
  #isOver = false;
  #timer: NodeJS.Timeout | undefined;

  constructor(deadlineMs: number) {
    this.#leftMs = deadlineMs;
    this.#stepMs = Math.min(STEP_MS, deadlineMs / STEPS);
    this.#run();
  }

  get signal(): AbortSignal {
    return this.#late.signal;
  }

  async hold<T>(wait: () => Promise<T>): Promise<T> {
    if (this.#holders++ === 0) this.#pause();
    try {
      return await wait();
    } finally {
      if (--this.#holders === 0) this.#run();
    }
  }

  stop(): void {
    this.#isOver = true;
    clearTimeout(this.#timer);
  }

  #pause(): void {
    clearTimeout(this.#timer);
    this.#count();
  }

  #run(): void {
    if (this.#isOver) return;
    this.#startedMs = performance.now();
    this.#timer = setTimeout(
      () => {
        this.#count();
        if (this.#leftMs > 0) this.#run();
        else this.#late.abort();
      },
      Math.min(this.#stepMs, Math.max(0, this.#leftMs)),
    );
  }

  #count(): void {
    this.#leftMs -= Math.min(this.#stepMs, performance.now() - this.#startedMs);
  }
}
