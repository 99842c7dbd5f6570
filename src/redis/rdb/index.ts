// RDB files: read without a server.

export { type DatabaseFacts, type KeySample, overBy, type RdbFacts } from './facts.ts';
export { RdbWalk } from './walk.ts';
