// The third S3 server of the tests, which plays what only AWS has (storage classes, KMS, Glacier).
import { ensurePythonServer } from './python-server.mjs';

const version = '1.5.33';

/** cryptography is what it asks for only in its full set, and S3 with server-side encryption needs. */
const ministack = {
  name: 'ministack',
  version,
  requirements: [`ministack==${version}`, 'cryptography==50.0.2'],
  modules: 'ministack.app, cryptography.hazmat.primitives.ciphers.aead',
};

/** @param {(text: string) => void} note */
export const ensureMinistack = (note) => ensurePythonServer(ministack, note);
