// Tells the person at the terminal which step of the set-up runs, how it ended and how long it took.

/** A set-up step that cannot go on, with the command a person can run instead. */
export class SetUpError extends Error {
  /** @param {string} message @param {string} remedy a command or one sentence that gets past it */
  constructor(message, remedy) {
    super(message);
    this.name = 'SetUpError';
    this.remedy = remedy;
  }
}

/** @param {number} startedAtMs from `performance.now()` */
export function elapsed(startedAtMs) {
  const seconds = (performance.now() - startedAtMs) / 1000;
  if (seconds < 100) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}

/** One line on stderr, so that stdout stays free for what a caller parses. */
export function say(what, text) {
  process.stderr.write(`set-up  ${what.padEnd(14)}  ${text}\n`);
}

/**
 * Runs one step and reports how it ended; while it lasts, says every 20 s that it is still at it.
 * @template T
 * @param {string} what
 * @param {(note: (text: string) => void) => Promise<T>} work `note` says what it is doing and becomes the reminder's text
 * @param {(result: T) => string} describe
 * @returns {Promise<T>}
 */
export async function step(what, work, describe) {
  const startedAt = performance.now();
  let doing = 'working';
  const note = (text) => {
    doing = text;
    say(what, text);
  };
  const reminder = setInterval(() => say(what, `still at it after ${elapsed(startedAt)}: ${doing}`), 20_000);
  try {
    const result = await work(note);
    say(what, `${describe(result)}  (${elapsed(startedAt)})`);
    return result;
  } finally {
    clearInterval(reminder);
  }
}
