// All extended attributes of an entry at once.

import { getAttribute, listAttributes, removeAttribute, type SystemEntry, setAttribute } from './libc.ts';

/** Of the policy of the host, not of the entry. */
const LEFT_ALONE = new Set(['security.selinux']);

/** Never given, so never compared. */
export function isOfHost(name: string): boolean {
  return LEFT_ALONE.has(name);
}

/** Undefined where there are none; values in base64. */
export function readAttributes(on: SystemEntry): Readonly<Record<string, string>> | undefined {
  const named = listAttributes(on).flatMap((name) => {
    const value = getAttribute(on, name);
    return value ? [[name, value.toString('base64')] as const] : [];
  });
  return named.length > 0 ? Object.fromEntries(named) : undefined;
}

/** Exactly these: a new entry may have some of its directory. `attempt` decides what a change that fails means. */
export function setAttributes(
  on: SystemEntry,
  wanted: Readonly<Record<string, string>>,
  attempt: (name: string, act: () => void) => void,
): void {
  for (const name of listAttributes(on)) {
    if (Object.hasOwn(wanted, name) || LEFT_ALONE.has(name)) continue;
    attempt(name, () => removeAttribute(on, name));
  }
  for (const [name, text] of Object.entries(wanted)) {
    const value = Buffer.from(text, 'base64');
    if (LEFT_ALONE.has(name) || getAttribute(on, name)?.equals(value)) continue;
    attempt(name, () => setAttribute(on, name, value));
  }
}
