// What a scan finds, and how a batch of it travels between threads: texts in one piece, numbers in columns.

export type FoundType = 'file' | 'directory' | 'symlink' | 'fifo' | 'socket' | 'character device' | 'block device';

/** One name below a root, as `lstat` saw it. */
export interface Found {
  /** Absolute, without the slash in front (src/domain/path-text.ts). */
  readonly path: string;
  readonly type: FoundType;
  /** Permission bits, with setuid, setgid and sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly links: bigint;
  readonly device: bigint;
  readonly inode: bigint;
  readonly sizeBytes: number;
  readonly mtimeNs: bigint;
  readonly ctimeNs: bigint;
  /** Fewer blocks than its size needs. */
  readonly hasHoles: boolean;
  /** Of a device, as `lstat` gives it. */
  readonly rdev: bigint;
  readonly linkTarget?: string;
}

/** A name that could not be looked at, or a directory that could not be listed; `code` as the system gives it. */
export interface Unseen {
  readonly path: string;
  readonly code: string;
}

/** A name that was left out, and why; `excluded`, by a pattern, only where that was asked for; `of Holdfast` never of what the root itself has of that name. */
export interface LeftOut {
  readonly path: string;
  readonly why: 'mount' | 'cache' | 'too large' | 'socket' | 'excluded' | 'of Holdfast';
}

export interface FoundBatch {
  readonly found: readonly Found[];
  readonly unseen: readonly Unseen[];
  readonly leftOut: readonly LeftOut[];
}

/** As it is sent. */
export interface PackedBatch {
  /** Paths and targets of links, each ended by NUL, which neither can hold. */
  readonly texts: string;
  readonly numbers: BigInt64Array<ArrayBuffer>;
  readonly unseen: readonly Unseen[];
  readonly leftOut: readonly LeftOut[];
}

const TYPES: readonly FoundType[] = [
  'file',
  'directory',
  'symlink',
  'fifo',
  'socket',
  'character device',
  'block device',
];
const COLUMNS = 12;

export function packBatch({ found, unseen, leftOut }: FoundBatch): PackedBatch {
  const numbers = new BigInt64Array(found.length * COLUMNS);
  let texts = '';
  for (const [row, each] of found.entries()) {
    texts += `${each.path}\0${each.linkTarget ?? ''}\0`;
    const columns = [
      BigInt(TYPES.indexOf(each.type)),
      BigInt(each.mode),
      BigInt(each.uid),
      BigInt(each.gid),
      each.links,
      each.device,
      each.inode,
      BigInt(each.sizeBytes),
      each.mtimeNs,
      each.ctimeNs,
      each.hasHoles ? 1n : 0n,
      each.rdev,
    ];
    numbers.set(columns, row * COLUMNS);
  }
  return { texts, numbers, unseen, leftOut };
}

export function unpackBatch({ texts, numbers, unseen, leftOut }: PackedBatch): FoundBatch {
  const words = texts.split('\0');
  const found: Found[] = [];
  for (let row = 0; row * COLUMNS < numbers.length; row++) {
    const column = (number: number) => numbers[row * COLUMNS + number] as bigint;
    const type = TYPES[Number(column(0))] as FoundType;
    found.push({
      path: words[2 * row] as string,
      type,
      mode: Number(column(1)),
      uid: Number(column(2)),
      gid: Number(column(3)),
      links: column(4),
      device: BigInt.asUintN(64, column(5)),
      inode: BigInt.asUintN(64, column(6)),
      sizeBytes: Number(column(7)),
      mtimeNs: column(8),
      ctimeNs: column(9),
      hasHoles: column(10) === 1n,
      rdev: BigInt.asUintN(64, column(11)),
      ...(type === 'symlink' && { linkTarget: words[2 * row + 1] as string }),
    });
  }
  return { found, unseen, leftOut };
}
