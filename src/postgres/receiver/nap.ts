// A pause that somebody else may end sooner.

export class Nap {
  private end: (() => void) | undefined;

  /** Until the time is over, for ever without one, or until `wake`. One sleeper at a time. */
  sleep(limitMs?: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = limitMs === undefined ? undefined : setTimeout(() => this.end?.(), limitMs);
      this.end = () => {
        clearTimeout(timer);
        this.end = undefined;
        resolve();
      };
    });
  }

  /** Nothing when nobody sleeps. */
  wake(): void {
    this.end?.();
  }
}
