// Paths as text: names of a file system are bytes, and every one of them has exactly one text that gives the bytes back.

/** A byte that is no part of valid UTF-8, as text: U+DC80 for 0x80 to U+DCFF for 0xff (as Python's `surrogateescape`, PEP 383). */
const ESCAPE = 0xdc00;
const ESCAPED = /[\udc80-\udcff]/;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export function textOfPath(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return escapedText(bytes);
  }
}

/** The text itself where it needs no escapes: what takes a path takes both. Inverse of `textOfPath`. */
export function pathOfText(text: string): string | Buffer {
  return isEscaped(text) ? bytesOfText(text) : text;
}

export function bytesOfText(text: string): Buffer {
  if (!isEscaped(text)) return Buffer.from(text);
  const parts: Buffer[] = [];
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (!isLoneEscape(text, at, code)) continue;
    parts.push(Buffer.from(text.slice(from, at)), Buffer.of(code - ESCAPE));
    from = at + 1;
  }
  parts.push(Buffer.from(text.slice(from)));
  return Buffer.concat(parts);
}

/** For people: what cannot be shown as text, and what a terminal would obey, as `\xNN`; a backslash as two. */
export function shownPath(text: string): string {
  return spelled(text, '\\\\');
}

/** What somebody typed, so that it can be typed again: as it was where a terminal shows it. */
export function shownTyped(text: string): string {
  return spelled(text, '\\') === text ? text : shownPath(text);
}

/** The text that `shownPath` shows so; `undefined` for what it shows of none. Bytes may also be spelled where they need not be. */
export function textOfShown(shown: string): string | undefined {
  const parts: Buffer[] = [];
  let from = 0;
  for (const { 0: spelling, 1: digits, index } of shown.matchAll(SPELLED)) {
    if (digits === undefined && spelling !== '\\\\') return undefined;
    const byte = digits === undefined ? BACKSLASH : Number.parseInt(digits, 16);
    if (byte === 0) return undefined;
    parts.push(bytesOfText(shown.slice(from, index)), Buffer.of(byte));
    from = index + spelling.length;
  }
  parts.push(bytesOfText(shown.slice(from)));
  return textOfPath(Buffer.concat(parts));
}

/** A path as `--json` has it: its text, and where that is another one what people are shown and can type. */
export interface NamedPath {
  readonly path: string;
  readonly shown?: string;
}

export function namedPath(path: string): NamedPath {
  const shown = shownPath(path);
  return shown === path ? { path } : { path, shown };
}

const BACKSLASH = 0x5c;
const SPELLED = /\\(?:x([0-9a-f]{2})|\\|)/gi;

function spelled(text: string, backslash: string): string {
  let shown = '';
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (isLoneEscape(text, at, code)) shown += hex(code - ESCAPE);
    else if (isObeyed(code)) for (const byte of Buffer.from(text.charAt(at))) shown += hex(byte);
    else shown += code === BACKSLASH ? backslash : text.charAt(at);
  }
  return shown;
}

/** Control characters of both sets (ISO 6429). */
function isObeyed(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

function hex(byte: number): string {
  return `\\x${byte.toString(16).padStart(2, '0')}`;
}

function isEscaped(text: string): boolean {
  return ESCAPED.test(text);
}

/** The second half of a pair is no escape. */
function isLoneEscape(text: string, at: number, code: number): boolean {
  if (code < 0xdc80 || code > 0xdcff) return false;
  const before = at === 0 ? 0 : text.charCodeAt(at - 1);
  return before < 0xd800 || before > 0xdbff;
}

function escapedText(bytes: Uint8Array): string {
  const parts: string[] = [];
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = validLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    parts.push(strict.decode(bytes.subarray(from, at)), String.fromCharCode(ESCAPE + (bytes[at] as number)));
    at += 1;
    from = at;
  }
  parts.push(strict.decode(bytes.subarray(from)));
  return parts.join('');
}

/** Bytes of the character that begins here; 0 where none does (Unicode, table 3-7). */
function validLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  try {
    strict.decode(bytes.subarray(at, Math.min(at + length, bytes.length)));
    return length;
  } catch {
    return 0;
  }
}
