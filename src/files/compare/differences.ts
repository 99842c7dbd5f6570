// In what two entries of one path differ: the words of a diff, of a dry run, and of a restore's plan.

import { isOfHost } from '../../system/index.ts';
import type { TreeEntry } from '../../vault/index.ts';

/** `content?`: nothing tells without reading it: size and time are the same, and the file was touched since. */
export type Aspect = 'type' | 'content' | 'content?' | 'target' | 'mode' | 'owner' | 'time' | 'attributes';

/** What is compared: an entry of a tree, or one that was made from what a scan saw, which has no hash. */
export type Comparable = Omit<TreeEntry, 'chunks' | 'pieces' | 'chunking' | 'user' | 'group'>;

/** Of the second as against the first; none when they are the same. */
export function differingAspects(one: Comparable, other: Comparable): Aspect[] {
  if (typeOf(one) !== typeOf(other)) return ['type'];
  const content = contentAspect(one, other);
  const aspects: [Aspect, boolean][] = [
    ['target', one.linkTarget !== other.linkTarget],
    ['mode', one.type !== 'symlink' && one.mode !== other.mode],
    ['owner', one.uid !== other.uid || one.gid !== other.gid],
    ['time', !isSameTime(one, other)],
    ['attributes', JSON.stringify(sorted(one.xattrs)) !== JSON.stringify(sorted(other.xattrs))],
  ];
  const differing = aspects.filter(([, differs]) => differs).map(([aspect]) => aspect);
  return content ? [content, ...differing] : differing;
}

function contentAspect(one: Comparable, other: Comparable): Aspect | undefined {
  if (one.type !== 'file') return undefined;
  if (one.sizeBytes !== other.sizeBytes) return 'content';
  if (one.sha256 !== undefined && other.sha256 !== undefined)
    return one.sha256 === other.sha256 ? undefined : 'content';
  if (!isSameTime(one, other)) return 'content';
  const isUntouched = one.ctimeNs !== undefined && one.ctimeNs === other.ctimeNs && one.inode === other.inode;
  return isUntouched ? undefined : 'content?';
}

function typeOf({ type, device }: Comparable): string {
  return device ? `${type} ${device.kind} ${device.major}:${device.minor}` : type;
}

function isSameTime(one: Comparable, other: Comparable): boolean {
  return one.mtimeSeconds === other.mtimeSeconds && (one.mtimeNanos ?? 0) === (other.mtimeNanos ?? 0);
}

function sorted(xattrs: Comparable['xattrs']): readonly (readonly [string, string])[] {
  const own = Object.entries(xattrs ?? {}).filter(([name]) => !isOfHost(name));
  return own.sort(([a], [b]) => (a < b ? -1 : 1));
}
