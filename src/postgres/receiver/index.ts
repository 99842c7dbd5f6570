// The log's receiver as the worker uses it.

export { startReceiver } from './receiver.ts';
export { dropSlot, type EnsuredSlot, ensureSlot, readSlot, type SlotFacts } from './slot.ts';
export type { Receiver, ReceiverEvent, ReceiverOptions } from './types.ts';
