// Whether the page that every search of an index begins at is what its access method once wrote (PostgreSQL, "Database Page Layout" and `access/*.h`).

import type { PageChecker } from '../backup/page-checksum.ts';

/** What the first block of an index says of where to go on. */
export interface FirstPage {
  /** Block of the root, where the first page is not the root itself and the index is not empty. */
  readonly root?: number;
  /** Of a B-tree's root. */
  readonly level?: number;
}

/** In words, what is wrong with a page. */
export interface WrongPage {
  readonly wrong: string;
}

const HEADER_BYTES = 24;
const LAYOUT_VERSION = 4;

const BTREE_MAGIC = 0x053162;
const BTREE_ROOT_FLAG = 1 << 1;
/** Of a root that was split a moment before the target: what is above it comes with the next insertion. */
const BTREE_INCOMPLETE_SPLIT_FLAG = 1 << 7;
const HASH_MAGIC = 0x6440640;
const GIST_PAGE_ID = 0xff81;
const GIN_META_FLAG = 1 << 3;
const SPGIST_MAGIC = 0xba0babee;
const SPGIST_PAGE_ID = 0xff82;
const BRIN_MAGIC = 0xa8109cfa;

const itself: FirstPage = {};
type Reading = (page: Buffer, special: number) => FirstPage | WrongPage;

/** Method by its name; of one that is not the server's own only what all pages have in common is looked at. */
const firstPages: Readonly<Record<string, Reading>> = {
  btree: (page) => {
    if (page.readUInt32LE(HEADER_BYTES) !== BTREE_MAGIC) return { wrong: 'its first page is not that of a B-tree' };
    const root = page.readUInt32LE(HEADER_BYTES + 8);
    return root === 0 ? itself : { root, level: page.readUInt32LE(HEADER_BYTES + 12) };
  },
  hash: (page) => begins(page.readUInt32LE(HEADER_BYTES) === HASH_MAGIC, 'a hash index', itself),
  gist: (page, special) => begins(page.readUInt16LE(special + 14) === GIST_PAGE_ID, 'a GiST index', itself),
  gin: (page, special) => begins((page.readUInt16LE(special + 6) & GIN_META_FLAG) !== 0, 'a GIN index', { root: 1 }),
  spgist: (page) => begins(page.readUInt32LE(HEADER_BYTES) === SPGIST_MAGIC, 'an SP-GiST index', { root: 1 }),
  brin: (page) => begins(page.readUInt32LE(HEADER_BYTES) === BRIN_MAGIC, 'a BRIN index', itself),
};

function begins(isSo: boolean, what: string, first: FirstPage): FirstPage | WrongPage {
  return isSo ? first : { wrong: `its first page is not that of ${what}` };
}

const roots: Readonly<Record<string, (page: Buffer, special: number, first: FirstPage) => boolean>> = {
  btree: (page, special, { level }) =>
    (page.readUInt16LE(special + 12) & (BTREE_ROOT_FLAG | BTREE_INCOMPLETE_SPLIT_FLAG)) !== 0 &&
    page.readUInt32LE(special + 8) === level,
  gin: (page, special) => (page.readUInt16LE(special + 6) & GIN_META_FLAG) === 0,
  spgist: (page, special) => page.readUInt16LE(special + 6) === SPGIST_PAGE_ID,
};

/** Bytes that each method keeps at the end of every page. */
const specials: Readonly<Record<string, number>> = { btree: 16, hash: 16, gist: 16, gin: 8, spgist: 8, brin: 8 };

export function readFirstPage(method: string, page: Buffer, checker?: PageChecker): FirstPage | WrongPage {
  // Whether an access method that is not the server's own keeps a first page at all is its own matter.
  if (page.length === 0 && firstPages[method] === undefined) return itself;
  const wrong = wrongLayout(method, page, 0, checker);
  if (wrong !== undefined) return { wrong: `its first page ${wrong}` };
  return firstPages[method]?.(page, page.readUInt16LE(16)) ?? {};
}

/** `undefined`: the page is a root. */
export function wrongRoot(method: string, page: Buffer, first: FirstPage, checker?: PageChecker): string | undefined {
  const block = first.root ?? 0;
  const wrong = wrongLayout(method, page, block, checker);
  if (wrong !== undefined) return `its root, block ${block}, ${wrong}`;
  return roots[method]?.(page, page.readUInt16LE(16), first) === false
    ? `block ${block}, which should be its root, is none`
    : undefined;
}

function wrongLayout(
  method: string,
  page: Buffer,
  block: number,
  checker: PageChecker | undefined,
): string | undefined {
  if (page.length < HEADER_BYTES) return 'is not there';
  if (page.every((byte) => byte === 0)) return 'is empty';
  const [lower, upper, special, sizeAndVersion] = [12, 14, 16, 18].map((at) => page.readUInt16LE(at)) as [
    number,
    number,
    number,
    number,
  ];
  const isLaidOut = HEADER_BYTES <= lower && lower <= upper && upper <= special && special <= page.length;
  if (!isLaidOut || sizeAndVersion !== (page.length | LAYOUT_VERSION)) return 'is no page of PostgreSQL';
  if (special !== page.length - (specials[method] ?? page.length - special)) return 'is a page of something else';
  return checker === undefined || checker.isGood(page, 0, block) ? undefined : 'has a wrong checksum';
}
