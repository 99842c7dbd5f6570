// Why a base backup is not taken in the way that was tried: not an error, another way is taken and says so.

/** What stands in the way: of an incremental capture, of reading files at hand, or of everything that is asked of the standby. */
export type Obstacle = 'incremental' | 'files' | 'standby';

/** Ends an attempt. `message` completes "…, because …". */
export abstract class TakenOtherwise extends Error {
  abstract readonly obstacle: Obstacle;
}
