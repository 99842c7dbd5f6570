// Hooks that run in the reverse order of their registration: what was made last, in a place that was made first, goes first.

import type { TestContext } from 'node:test';

/** The same test to whoever registers hooks. */
export function lastFirst(t: TestContext): TestContext {
  const hooks: (() => unknown)[] = [];
  t.after(async () => {
    for (const hook of hooks.reverse()) await hook();
  });
  return new Proxy(t, {
    get(target, name) {
      if (name === 'after') return (hook: () => unknown) => void hooks.push(hook);
      const value = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
