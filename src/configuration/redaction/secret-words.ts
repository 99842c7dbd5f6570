// Names that say that what they name is secret, and how configuration files quote what they name: parts of patterns.

/** Anywhere in a name, whatever stands before it. No open quantifier in front: it would make the search quadratic. */
export const NAME =
  'passw(?:or)?d|passphrase|passcode|(?<![a-z])pass(?![a-z])|(?<![a-z])pwd|root_?(?:bind_?)?pw|bind_?pw|requirepass|masterauth|secret|token|credential|(?<![a-z])psk|(?<![a-z])community|(?:redis|valkey)cli_auth' +
  '|(?:api|access|private|encryption|signing|master|account|shared|auth|license|wep|session|cookie)[_-]?key';
export const REST_OF_NAME = '[\\w.-]{0,64}';
export const QUOTED = `"(?:[^"\\\\\\n]|\\\\.)*"|'(?:[^'\\\\\\n]|\\\\.|'')*'`;
/** Unquoted, everything to the end of the line: a password may hold spaces. */
export const VALUE = `${QUOTED}|[^\\s"'][^\\n]*|["'][^\\n]*`;
