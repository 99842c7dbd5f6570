// Everything that a decoded history says, as text that can be searched.

/** All that a value holds, payloads as the text they are: a JSON of it would show them in base64, where nothing is found. */
export function* texts(value: unknown): Generator<string> {
  if (value instanceof Uint8Array) yield Buffer.from(value).toString('latin1');
  else if (typeof value === 'string') yield value;
  else if (typeof value === 'object' && value !== null) {
    for (const [name, inner] of Object.entries(value)) {
      yield name;
      yield* texts(inner);
    }
  }
}
