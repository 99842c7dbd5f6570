// The log's receiver as the worker uses it.

export { policyPosition } from './holdings.ts';
export { readIdleSlots } from './idle-slots.ts';
export { LogMemory } from './log-memory.ts';
export { latestLoss, type SlotLoss } from './loss-record.ts';
export { type PreparedSlot, prepareSlot } from './prepare-slot.ts';
export { startReceiver } from './receiver.ts';
export { comparePositions, type LogPosition } from './route.ts';
export { dropSlot, type EnsuredSlot, ensureSlot, readerOf, readSlot, type SlotFacts } from './slot.ts';
export type { ForeignLog, Receiver, ReceiverEvent, ReceiverOptions } from './types.ts';
