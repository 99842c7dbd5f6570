// Stores that can be told to take nothing, as if their network were gone: all calls, or those for some keys.

import { fail } from '../../src/errors/index.ts';
import type { Store } from '../../src/stores/store.ts';

export interface Blockable {
  readonly wrap: (store: Store) => Store;
  /** `keys`: only calls whose first argument matches. */
  block(name: string, keys?: RegExp): void;
  open(name: string): void;
}

export function blockable(): Blockable {
  const blocked = new Map<string, RegExp>();
  return {
    wrap: (store) =>
      new Proxy(store, {
        get: (target, property) => {
          const value = Reflect.get(target, property, target) as unknown;
          if (typeof value !== 'function') return value;
          return (...args: unknown[]) => {
            if (blocked.get(target.name)?.test(String(args[0]))) {
              fail('STORE_UNAVAILABLE', `'${target.name}' is cut off`);
            }
            return (value as (...a: unknown[]) => unknown).apply(target, args);
          };
        },
      }),
    block: (name, keys = /^/) => blocked.set(name, keys),
    open: (name) => blocked.delete(name),
  };
}
