// The order that trees and scans have: a directory before what is in it, and that before the next name.

/** Compares as a walk comes by: no name holds NUL, which is before everything that a name can hold. */
export function walkKey(path: string): string {
  return path.replaceAll('/', '\0');
}

export function comesBefore(one: string, other: string): boolean {
  return walkKey(one) < walkKey(other);
}
