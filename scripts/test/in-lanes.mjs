// Does the work of a list side by side, in its order: in a few lanes always, in further ones while there is room for them.
import { setTimeout as sleep } from 'node:timers/promises';

/** What has just begun is not felt yet. */
const lookMs = 2_000;

/**
 * @template Item
 * @param {readonly Item[]} items @param {(item: Item) => Promise<void>} work
 * @param {{ least: number, most: number, hasRoom: () => boolean, everyMs?: number, signal?: AbortSignal }} lanes
 *   `hasRoom`: asked before a lane beyond the `least` is opened, one at a time; after an abort nothing more is begun
 */
export async function inLanes(items, work, { least, most, hasRoom, everyMs = lookMs, signal }) {
  const waiting = [...items];
  const running = new Set();
  while (waiting.length > 0 && !signal?.aborted) {
    const isFree = running.size < least || (running.size < most && hasRoom());
    if (isFree) {
      const done = work(waiting.shift()).finally(() => running.delete(done));
      running.add(done);
      if (running.size < least) continue;
    }
    await Promise.race([...running, sleep(everyMs, undefined, { ref: false })]);
  }
  await Promise.all(running);
}
