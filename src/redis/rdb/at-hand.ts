// Where strings and values end that lie wholly in the bytes at hand, as nearly all do: found in one go, without the generators that can wait for more.

/** More than any length, or the head of any string, takes. */
export const HEAD_BYTES = 32;
/** Instead of an end: not all of it is at hand, or it is of a form that is left to those who can wait and complain. */
export const ELSEWHERE = 0;

const LZF = 3;
const LONG = 0x80;
const SCORE_BYTES = 8;

/** Of the string that begins at `at`, as `RdbStrings` reads it. */
export function endOfString(bytes: Uint8Array, at: number): number {
  if (at + HEAD_BYTES > bytes.length) return ELSEWHERE;
  const first = bytes[at] as number;
  const kind = first >> 6;
  let end = ELSEWHERE;
  if (kind === 0) end = at + 1 + first;
  else if (kind === 1) end = at + 2 + (((first & 0x3f) << 8) | (bytes[at + 1] as number));
  else if (first === LONG) end = at + 5 + wordAt(bytes, at + 1);
  else if (kind === 3) end = endOfShortened(bytes, at + 1, first & 0x3f);
  return end <= bytes.length ? end : ELSEWHERE;
}

/** A small number, or what LZF has made shorter: its length, then that of the plain string. */
function endOfShortened(bytes: Uint8Array, at: number, encoding: number): number {
  if (encoding < LZF) return at + (1 << encoding);
  if (encoding > LZF) return ELSEWHERE;
  const packed = lengthAt(bytes, at);
  if (packed < 0) return ELSEWHERE;
  const plainAt = at + widthOf(bytes[at] as number);
  if (lengthAt(bytes, plainAt) < 0) return ELSEWHERE;
  return plainAt + widthOf(bytes[plainAt] as number) + packed;
}

/** Below 0 for what is no length, or longer than anything that is at hand. */
function lengthAt(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x40) return first;
  if (first < 0x80) return ((first & 0x3f) << 8) | (bytes[at + 1] as number);
  return first === LONG ? wordAt(bytes, at + 1) : -1;
}

/** Of the length that begins at `at`; its head is at hand. */
export function endOfLength(bytes: Uint8Array, at: number): number {
  return lengthAt(bytes, at) < 0 ? ELSEWHERE : at + widthOf(bytes[at] as number);
}

/** Bytes of a length that begins so. */
function widthOf(first: number): number {
  return first < 0x40 ? 1 : first < 0x80 ? 2 : 5;
}

/** Four bytes, the greatest first. */
function wordAt(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return high * 0x10000 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
}

/** A key whose name begins at `at`, and behind it its value of this type (rdb.h). */
export function endOfEntry(bytes: Uint8Array, at: number, type: number): number {
  const value = endOfString(bytes, at);
  return value === ELSEWHERE ? ELSEWHERE : endOfValue(bytes, value, type);
}

function endOfValue(bytes: Uint8Array, at: number, type: number): number {
  switch (type) {
    case 0:
    case 9:
    case 10:
    case 11:
    case 12:
    case 13:
    case 16:
    case 17:
    case 20:
      return endOfString(bytes, at);
    case 1:
    case 2:
    case 14:
      return endOfParts(bytes, at, 1, { form: false, behind: 0 });
    case 4:
      return endOfParts(bytes, at, 2, { form: false, behind: 0 });
    case 5:
      return endOfParts(bytes, at, 1, { form: false, behind: SCORE_BYTES });
    case 18:
      return endOfParts(bytes, at, 1, { form: true, behind: 0 });
  }
  return ELSEWHERE;
}

/** Strings behind their number; each with a length of its own in front (`form`), or so many bytes behind it. */
function endOfParts(
  bytes: Uint8Array,
  at: number,
  each: number,
  { form, behind }: { readonly form: boolean; readonly behind: number },
): number {
  if (at + HEAD_BYTES > bytes.length) return ELSEWHERE;
  const count = lengthAt(bytes, at);
  if (count < 0) return ELSEWHERE;
  let end = at + widthOf(bytes[at] as number);
  for (let left = count * each; left > 0; left--) {
    if (form) {
      end = end + HEAD_BYTES > bytes.length ? ELSEWHERE : endOfLength(bytes, end);
      if (end === ELSEWHERE) return ELSEWHERE;
    }
    end = endOfString(bytes, end);
    if (end === ELSEWHERE) return ELSEWHERE;
    end += behind;
  }
  return end <= bytes.length ? end : ELSEWHERE;
}
