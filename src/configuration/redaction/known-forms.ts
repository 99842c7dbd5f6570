// Secrets that are known by their form alone, wherever they stand: keys, verifiers, tokens, passwords in addresses.

import type { Span } from './span.ts';

interface Form {
  readonly kind: string;
  /** The group `secret`, or all of it. No two open quantifiers may follow each other: texts are large and come from anywhere. */
  readonly pattern: RegExp;
}

const FORMS: readonly Form[] = [
  // Without its last line, which a damaged or a nested file may lack, everything to the end. A line feed may be written as `\n`.
  {
    kind: 'private key',
    pattern:
      /-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|Static key V1)-----[\s\S]*?(?:-----END [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?|Static key V1)-----|$(?![\s\S]))/gi,
  },
  { kind: 'private key', pattern: /^PuTTY-User-Key-File[\s\S]*/gm },
  { kind: 'private key', pattern: /AGE-SECRET-KEY-1[A-Z0-9]+/g },
  { kind: 'password in an address', pattern: /:\\?\/\\?\/[^\s/:@'"<>]{0,256}:(?<secret>[^\s'"<>]{1,1024})@/dg },
  { kind: 'password in an address', pattern: /:\/\/(?<secret>[^\s/:@'"<>]{16,256})@/dg },
  { kind: 'password verifier', pattern: /SCRAM-SHA-(?:1|256|512)\$[^\s'";]+/g },
  { kind: 'password verifier', pattern: /(?<![0-9a-z])md5[0-9a-f]{32}(?![0-9a-f])/gi },
  {
    kind: 'password',
    pattern:
      /\b(?:PASSWORD|IDENTIFIED[ \t]+(?:WITH[ \t]+\S+[ \t]+)?(?:BY|AS))[ \t]+(?:E|U&)?'(?<secret>(?:[^'\\]|\\.|'')*)'/dgi,
  },
  {
    kind: 'password verifier',
    pattern: /\$(?:1|2[abxy]?|5|6|7|y|gy|sha1|md5|apr1|argon2(?:id?|d)|scrypt|pbkdf2[\w-]{0,16}|P|H)\$[^\s:'",;]{8,}/g,
  },
  { kind: 'password verifier', pattern: /\bgrub\.pbkdf2\.[\w.]{8,}/g },
  { kind: 'password verifier', pattern: /\{S?(?:SHA|MD5|SSHA|SMD5|CRYPT|PBKDF2)[0-9]{0,3}\}[A-Za-z0-9+/=$.]{8,}/gi },
  { kind: 'password', pattern: /^[ \t]*(?:\d+\)[ \t]*)?"?user[ \t][^\n]*?[ \t](?<secret>[><#!][^\n]*)/dgim },
  { kind: 'AWS key', pattern: /(?<![A-Z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Z0-9])/g },
  { kind: 'token', pattern: /(?<![\w-])eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*/g },
  {
    kind: 'token',
    pattern: /(?<![\w-])(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|gl(?:pat|rt|dt|ft|soat)-[\w-]{16,})/g,
  },
  { kind: 'token', pattern: /(?<![\w-])xox[a-z]-[\w-]{10,}/g },
  { kind: 'token', pattern: /(?<![\w-])(?:sk|rk|pk)[-_](?:live|test|proj|ant)?[-_]?[\w-]{20,}/g },
  {
    kind: 'token',
    pattern:
      /(?<![\w-])(?:AIza[\w-]{30,}|ya29\.[\w-]{20,}|npm_[A-Za-z0-9]{30,}|pypi-[\w-]{30,}|hv[sbr]\.[\w-]{20,}|dop_v1_[0-9a-f]{32,})/g,
  },
  { kind: 'token', pattern: /(?<![\w-])SG\.[\w-]{16,}\.[\w-]{16,}/g },
  { kind: 'token', pattern: /hooks\.slack\.com\/services\/(?<secret>[\w/]{16,})/dg },
  { kind: 'token', pattern: /\b(?:Bearer|Basic|Digest|Token)[ \t]+(?<secret>[A-Za-z0-9+/._~=-]{8,})/dg },
  { kind: 'token', pattern: /\bauthorization["']?[ \t]*[:=][ \t]*["']?(?<secret>[^\s"'][^\n"']*)/dgi },
];

export function knownForms(text: string): Span[] {
  return FORMS.flatMap(({ kind, pattern }) =>
    [...text.matchAll(pattern)].map((match) => {
      const [from, to] = match.indices?.groups?.secret ?? [match.index, match.index + match[0].length];
      return { from, to, kind };
    }),
  );
}
