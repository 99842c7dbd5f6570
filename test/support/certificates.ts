// Certificates for servers of tests on 127.0.0.1: made here, byte by byte (X.509, RFC 5280), because Node can read them but not make them.

import { createSign, generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';

export interface Issued {
  /** PEM. */
  readonly certificate: string;
  readonly key: string;
}

export interface Authority extends Issued {
  /** A certificate for a server that answers on this IPv4 address or name. */
  issue(host: string): Issued;
}

const OID = {
  ecdsaWithSha256: '06082a8648ce3d040302',
  commonName: '0603550403',
  basicConstraints: '0603551d13',
  keyUsage: '0603551d0f',
  subjectAltName: '0603551d11',
} as const;

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}

const sequence = (...parts: readonly Uint8Array[]) => der(0x30, ...parts);
const oid = (hex: string) => Buffer.from(hex, 'hex');
const yes = der(0x01, Buffer.from([0xff]));

function name(common: string): Buffer {
  return sequence(der(0x31, sequence(oid(OID.commonName), der(0x0c, Buffer.from(common)))));
}

/** GeneralizedTime. */
function time(date: Date): Buffer {
  return der(0x18, Buffer.from(`${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`));
}

function extension(id: string, isCritical: boolean, value: Buffer): Buffer {
  return sequence(oid(id), ...(isCritical ? [yes] : []), der(0x04, value));
}

interface Wanted {
  readonly subject: string;
  readonly issuer: string;
  readonly publicKey: KeyObject;
  readonly signer: KeyObject;
  readonly extensions: readonly Buffer[];
}

function certify({ subject, issuer, publicKey, signer, extensions }: Wanted): string {
  const algorithm = sequence(oid(OID.ecdsaWithSha256));
  const serial = randomBytes(8);
  serial.writeUInt8((serial.readUInt8(0) & 0x7f) | 0x40, 0); // positive, without leading zeros
  const dayMs = 86_400_000;
  const content = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))), // version 3
    der(0x02, serial),
    algorithm,
    name(issuer),
    sequence(time(new Date(Date.now() - dayMs)), time(new Date(Date.now() + 30 * dayMs))),
    name(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions)),
  );
  const signature = createSign('sha256').update(content).sign(signer);
  const whole = sequence(content, algorithm, der(0x03, Buffer.from([0]), signature));
  const lines = whole.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

const newKey = () => generateKeyPairSync('ec', { namedCurve: 'P-256' });
const pem = (key: KeyObject) => key.export({ type: 'pkcs8', format: 'pem' }).toString();

/** An authority that nobody knows but who is given its certificate. */
export function makeAuthority(issuer = 'Holdfast test authority'): Authority {
  const { publicKey, privateKey } = newKey();
  const certSign = der(0x03, Buffer.from([2, 0x04]));
  const certificate = certify({
    ...{ subject: issuer, issuer, publicKey, signer: privateKey },
    extensions: [extension(OID.basicConstraints, true, sequence(yes)), extension(OID.keyUsage, true, certSign)],
  });
  const issue = (host: string): Issued => {
    const server = newKey();
    const isAddress = /^[0-9.]+$/.test(host);
    const alternative = sequence(
      isAddress ? der(0x87, Buffer.from(host.split('.').map(Number))) : der(0x82, Buffer.from(host)),
    );
    const extensions = [extension(OID.subjectAltName, false, alternative)];
    const wanted = { subject: host, issuer, publicKey: server.publicKey, signer: privateKey, extensions };
    return { certificate: certify(wanted), key: pem(server.privateKey) };
  };
  return { certificate, key: pem(privateKey), issue };
}
