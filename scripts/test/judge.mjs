// What a run of the tests came to: only what ran and held counts as passed.

/**
 * What was skipped, or holds no test, proves nothing: it counts as failed.
 *
 * @param {{ ok: boolean, passed: number, failed: number, skipped: string[], empty: string[] }} tests as the reporter counted them; `ok`: the runner left with 0
 * @param {boolean[]} checked for each check beside the tests whether it passed
 * @returns {{ passed: number, failed: number, words: string[] }}
 */
export function judge(tests, checked) {
  const words = [
    ...tests.skipped.map((title) => `✖ skipped or to do, which counts as failed: ${title}`),
    ...tests.empty.map((file) => `✖ holds no test, which counts as failed: ${file}`),
  ];
  const passed = tests.passed + checked.filter((ok) => ok).length;
  const failed = tests.failed + words.length + checked.filter((ok) => !ok).length;
  const isInDoubt = failed === 0 && (tests.passed === 0 || !tests.ok);
  return { passed, failed: isInDoubt ? 1 : failed, words };
}
