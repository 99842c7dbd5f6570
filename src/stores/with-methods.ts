// The same store with some methods of its own; everything else is handed to it.

import type { Store } from './store.ts';

export function withMethods(store: Store, methods: Partial<Store>): Store {
  return new Proxy(store, {
    get(target, property) {
      const own: unknown = Reflect.get(methods, property);
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, property);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
