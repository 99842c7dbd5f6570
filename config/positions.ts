// Where in a YAML document a key or a value stands.

import { type Document, isMap, isNode, isPair, isScalar, isSeq, type LineCounter, type Node, type Pair } from 'yaml';

export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Finds line and column of places in one parsed document. */
export interface Positions {
  /** The value at `path`; its key when the value is empty, or the nearest mapping around it when it is not there. */
  value(path: readonly PropertyKey[]): Position;
  /** The key at the end of `path`. */
  key(path: readonly PropertyKey[]): Position;
  at(offset: number): Position;
}

export function positionsOf(document: Document.Parsed, lines: LineCounter): Positions {
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const start = (node: unknown) => (isNode(node) ? node.range?.[0] : undefined);

  function find(path: readonly PropertyKey[]): { pair?: Pair; node: unknown; whole: boolean } {
    let found: { pair?: Pair; node: unknown; whole: boolean } = { node: document.contents, whole: true };
    for (const key of path) {
      const next = step(document, found.node, key);
      if (next === undefined) return { ...found, whole: false };
      found = { ...next, whole: true };
    }
    return found;
  }

  return {
    at,
    value(path) {
      const { pair, node, whole } = find(path);
      const useKey = !whole || isEmpty(node);
      return at(start(useKey ? pair?.key : node) ?? start(pair?.key) ?? start(node) ?? 0);
    },
    key(path) {
      const { pair, node, whole } = find(path);
      return at((whole ? start(pair?.key) : undefined) ?? start(node) ?? 0);
    },
  };
}

/** An empty value has a place of its own somewhere behind the colon, which helps nobody. */
function isEmpty(node: unknown): boolean {
  return node === null || (isScalar(node) && node.value === null);
}

function step(document: Document.Parsed, node: unknown, key: PropertyKey): { pair?: Pair; node: unknown } | undefined {
  const resolved = resolve(document, node);
  if (isSeq(resolved)) {
    const item = resolved.items[Number(key)];
    return item === undefined ? undefined : { node: item };
  }
  if (!isMap(resolved)) return undefined;
  const pair = resolved.items.find(
    (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(key),
  );
  return pair && { pair, node: pair.value };
}

function resolve(document: Document.Parsed, node: unknown): unknown {
  if (isNode(node) && node !== null && 'source' in node && !isScalar(node) && !isMap(node) && !isSeq(node)) {
    return (node as Node & { resolve(document: Document.Parsed): unknown }).resolve(document);
  }
  return node;
}
