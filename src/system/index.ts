// The operating system below Node: what `node:fs` has no way to say.

export * from './allocator.ts';
export * from './attributes.ts';
export * from './durable.ts';
export * from './libc.ts';
export * from './names.ts';
export { openPartByPart } from './open-part-by-part.ts';
export * from './running-timer.ts';
