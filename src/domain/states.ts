// The named states in which every operation ends, and the ones it passes through.

export const runStates = ['running', 'waiting', 'completed', 'rolled back', 'stuck', 'refused', 'failed'] as const;
export type RunState = (typeof runStates)[number];

export const snapshotKinds = ['physical', 'logical', 'files', 'rdb', 'aof', 'configuration'] as const;
export type SnapshotKind = (typeof snapshotKinds)[number];

/** What is known of a snapshot's bytes on one copy; each level implies the ones before it. */
export const proofLevels = ['listed', 'attested', 'hashed', 'decrypted', 'restored', 'queried'] as const;
export type ProofLevel = (typeof proofLevels)[number];

/** Result of looking at something: unknown is never good. */
export const verdicts = ['good', 'damaged', 'missing', 'not checked'] as const;
export type Verdict = (typeof verdicts)[number];
