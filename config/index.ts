// The configuration as the rest of Holdfast imports it.

export { anyHost, componentOf, componentsOf } from './components.ts';
export { type LoadedConfiguration, loadConfiguration, parseConfiguration } from './load.ts';
export type { Problem } from './problems.ts';
export { absoluteReference, referenceProblem, resolveSecret } from './references.ts';
export { isAnyLocked, keepsAll, retentionHost } from './retention-work.ts';
export { type SecretReferences, secretFiles, secretReferences } from './secret-files.ts';
export { stateDirectoryOf } from './state-directory.ts';
export type * from './types.ts';
