// Only what biome cannot do: rules that need the types of the whole program. Promises left alone are the bug we fear most.
import tseslint from 'typescript-eslint';

/** The runner itself waits for what these return. */
const nodeTest = { from: 'package', package: 'node:test', name: ['test', 'it', 'describe', 'suite'] };

/** What builds make. */
const ignored = { ignores: ['**/dist/**'] };

export default tseslint.config(ignored, {
  files: ['config/**/*.ts', 'workflows/**/*.ts', 'activities/**/*.ts', 'src/**/*.ts', 'test/**/*.ts', 'bench/**/*.ts'],
  extends: [tseslint.configs.base],
  languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
  rules: {
    '@typescript-eslint/no-floating-promises': ['error', { allowForKnownSafeCalls: [nodeTest] }],
    '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { arguments: false, attributes: false } }],
    '@typescript-eslint/await-thenable': 'error',
  },
});
