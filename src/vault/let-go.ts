// Memory of large buffers given back at once. Left to the collector, each few of them would cause a collection, and the next ones untouched memory.

/** Nobody uses `bytes`, or anything else of the same memory, from here on: it reads as empty. Small ones may lie in Node's pool, and stay. */
export function letGo(bytes: Uint8Array | ArrayBuffer): void {
  const buffer = bytes instanceof ArrayBuffer ? bytes : bytes.buffer;
  if (buffer instanceof ArrayBuffer && buffer.byteLength > Buffer.poolSize) buffer.transfer(0);
}
