// The sandbox as the command line, the quickstart and the tests use it.

export { type Components, findComponents, findPostgres, type PostgresPrograms } from './components.ts';
export { type DownResult, requireSandbox, sandboxDown } from './down.ts';
export { type PortReservation, reservePorts } from './ports.ts';
export { type PostgresOptions, type PostgresServer, startPostgres } from './postgres.ts';
export { type S3Server, type SeaweedOptions, startSeaweed } from './seaweed.ts';
export type { SandboxServer, ServerOptions } from './server.ts';
export { makeDirectoryFor, serverUser } from './server-user.ts';
export type { Sandbox, SandboxBucket, SandboxPostgres } from './state.ts';
export { readSandbox } from './state.ts';
export { startTemporal, type TemporalOptions, type TemporalServer } from './temporal.ts';
export { sandboxUp, type UpOptions } from './up.ts';
export type { SandboxUp } from './up-again.ts';
export { holdfastProgram, startWorker, type WorkerOptions } from './worker.ts';
