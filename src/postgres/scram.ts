// The verifier of a password as the server keeps it, so that the password itself is in no statement and no log of the server.

import { createHash, createHmac, pbkdf2Sync, randomBytes } from 'node:crypto';

/** The server's own default. */
const ITERATIONS = 4096;
const SALT_BYTES = 16;
const HASH_BYTES = 32;

/** `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (RFC 5803, section 3; PostgreSQL manual, "pg_authid"). */
export function scramVerifier(password: string, salt = randomBytes(SALT_BYTES)): string {
  const salted = pbkdf2Sync(password, salt, ITERATIONS, HASH_BYTES, 'sha256');
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest();
  const storedKey = createHash('sha256').update(keyOf('Client Key')).digest('base64');
  return `SCRAM-SHA-256$${ITERATIONS}:${salt.toString('base64')}$${storedKey}:${keyOf('Server Key').toString('base64')}`;
}
