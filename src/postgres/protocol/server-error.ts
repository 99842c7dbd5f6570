// What the server says went wrong, as the fields of its message (PostgreSQL manual, "Error and Notice Message Fields").

/** Shaped like the errors of the `pg` client, so that both are understood in one place. */
export class ServerError extends Error {
  override readonly name = 'ServerError';
  /** SQLSTATE. */
  readonly code: string;
  readonly detail: string | undefined;

  constructor(message: string, code: string, detail?: string) {
    super(message);
    this.code = code;
    this.detail = detail;
  }
}

export function parseServerError(body: Buffer): ServerError {
  const fields = new Map<string, string>();
  let at = 0;
  while (at < body.length && body[at] !== 0) {
    const end = body.indexOf(0, at + 1);
    fields.set(String.fromCharCode(body[at]!), body.toString('utf8', at + 1, end < 0 ? body.length : end));
    at = end < 0 ? body.length : end + 1;
  }
  return new ServerError(fields.get('M') ?? 'unknown error', fields.get('C') ?? 'XX000', fields.get('D'));
}
