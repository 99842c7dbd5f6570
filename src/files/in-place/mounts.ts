// What is mounted below a root: a rename crosses no mount, also none that shows a part of the same file system.

import { readFile } from 'node:fs/promises';
import { textOfPath } from '../../domain/path-text.ts';
import { isWithin } from '../restore/select.ts';

export class Mounts {
  readonly #points: readonly string[];

  constructor(points: readonly string[]) {
    this.#points = points;
  }

  /** `root` without links. */
  static async below(root: string): Promise<Mounts> {
    return new Mounts(mountPointsBelow(await readFile('/proc/self/mountinfo', 'latin1'), root));
  }

  /** The mount point that a path below the root is, or is in. */
  around(below: string): string | undefined {
    return this.#points.find((point) => isWithin(below, point));
  }

  /** A mount point at a path or somewhere below it. */
  within(below: string): string | undefined {
    return this.#points.find((point) => isWithin(point, below));
  }
}

/** Of the text of `mountinfo` (proc(5)), a character a byte: paths below the root. */
export function mountPointsBelow(text: string, root: string): string[] {
  const start = root === '/' ? '/' : `${root}/`;
  return text
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point) => point !== undefined)
    .map((point) => textOfPath(Buffer.from(unescaped(point), 'latin1')))
    .filter((point) => point.startsWith(start) && point.length > start.length)
    .map((point) => point.slice(start.length));
}

/** Blanks, tabs, line feeds and backslashes are written as three octal digits. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
}
