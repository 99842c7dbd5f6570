// One signal for the whole run: when the bench is told to end, what it has started ends first.

const controller = new AbortController();

export const interrupted: AbortSignal = controller.signal;

/** Called once, by the program. */
export function listenForInterrupts(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => controller.abort());
}
