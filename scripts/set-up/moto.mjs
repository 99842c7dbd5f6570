// The second KMS of the tests: it refuses a ciphertext that was tampered with, which ministack does not.
import { ensurePythonServer } from './python-server.mjs';

const version = '5.2.5';

/** Its own set for a server brings forty packages more; KMS needs these. */
const moto = {
  name: 'moto',
  version,
  requirements: [`moto==${version}`, 'flask==3.1.3', 'flask-cors==6.0.5'],
  modules: 'moto.server, moto.kms.responses',
};

/** @param {(text: string) => void} note */
export const ensureMoto = (note) => ensurePythonServer(moto, note);
