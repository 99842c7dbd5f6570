// A store that deletes more than it was told.

import type { Store } from '../../../src/stores/store.ts';
import { COMPONENT } from '../vault.ts';

export function greedy(store: Store): Store {
  return new Proxy(store, {
    get: (target, name) => {
      if (name === 'delete') {
        return async (keys: readonly string[]) => {
          await target.delete(keys);
          if (!keys.some((key) => key.includes('/snapshots/'))) return;
          for await (const { key } of target.list(`${COMPONENT}/snapshots/`)) return target.delete([key]);
        };
      }
      const value = Reflect.get(target, name) as unknown;
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
