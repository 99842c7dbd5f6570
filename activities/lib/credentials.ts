// The last guard before a text leaves the process: what looks like credentials in an address is cut out.

/** `postgres://user:secret@host` becomes `postgres://user:***@host`; `password=secret` becomes `password=***`. */
export function withoutCredentials(text: string): string {
  return text
    .replaceAll(/(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*):[^\s@]*@/gi, '$1:***@')
    .replaceAll(/\b(password|secret|passphrase)=('[^']*'|"[^"]*"|\S+)/gi, '$1=***');
}
