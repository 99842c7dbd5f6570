// How the C library keeps what was freed: by itself it holds on to large blocks that were used once, in as many places as there are cores times eight.

import { tuneAllocator } from './libc.ts';

/** Numbers of mallopt(3). */
const M_TRIM_THRESHOLD = -1;
const M_MMAP_THRESHOLD = -3;
const M_ARENA_MAX = -8;

const MIB = 1024 * 1024;
/** Above a chunk with its compressor, which come and go all the time, and below a pack. */
const LARGE_BYTES = 4 * MIB;
const TRIM_BYTES = 16 * MIB;
const ARENAS = 2;

/**
 * From now on large blocks go back to the system when they are freed, and fewer places keep small ones. Of the whole process, and the same however often it is
 * called; where the C library has no such thing nothing changes.
 */
export function returnFreedMemory(): void {
  tuneAllocator(M_MMAP_THRESHOLD, LARGE_BYTES);
  tuneAllocator(M_TRIM_THRESHOLD, TRIM_BYTES);
  tuneAllocator(M_ARENA_MAX, ARENAS);
}
