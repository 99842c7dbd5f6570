// What a rollback does to the data, said to a person before it is done: by the kind of component, and of Redis by the way of the restore.

import type { RedisWay } from '../domain/redis-restore.ts';

/** No server stands behind them. */
export function isOfFiles(component: string): boolean {
  return /^(files|configuration)\//.test(component);
}

/** `way`: of a restore of Redis. */
export function rollbackDoes(component: string, way?: RedisWay): string {
  if (isOfFiles(component)) {
    return 'brings back what was there before; what was written since into what the restore brought is kept beside it, and named';
  }
  if (way === 'live') {
    return 'has the running server take back all that it had before the restore; what it has by now is kept beside it';
  }
  if (way === 'keys') {
    return 'gives the keys that the restore made or replaced in the running server their values of before; what was made of them since is kept beside it';
  }
  return 'stops the server and brings the old data back; what was written since the restore is not in it';
}
