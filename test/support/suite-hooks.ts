// Lets helpers that clean up after one test clean up after a whole suite: what they register runs in the suite's last hook.

import type { TestContext } from 'node:test';

export class SuiteHooks {
  private readonly hooks: (() => unknown)[] = [];

  /** As much of a test's context as helpers of servers and directories ask for. */
  get context(): TestContext {
    return { after: (hook: () => unknown) => void this.hooks.push(hook) } as unknown as TestContext;
  }

  async end(): Promise<void> {
    for (const hook of this.hooks) await hook();
  }
}
