// Which files of a data directory are made of pages, and which block of its relation a file begins with.

/** Files of relations are cut by PostgreSQL after this many bytes (`RELSEG_SIZE`). */
export const RELATION_SEGMENT_BYTES = 1024 ** 3;

const RELATION_FILE = /^(?:global|base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/\d+(?:_(?:fsm|vm|init))?(?:\.(\d+))?$/;

/** `undefined` for anything but a relation's file; temporary relations are never part of a backup. */
export function relationFile(path: string, pageSizeBytes: number): { readonly firstBlock: number } | undefined {
  const match = RELATION_FILE.exec(path);
  if (match === null) return undefined;
  return { firstBlock: Number(match[1] ?? 0) * (RELATION_SEGMENT_BYTES / pageSizeBytes) };
}
