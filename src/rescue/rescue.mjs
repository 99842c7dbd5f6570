#!/usr/bin/env node
// Reads a Holdfast vault without Holdfast: one file, Node 18 or newer and nothing else. It was written from FORMAT.md (the format
// document, which lies beside it in every copy) and shares no line with the program whose work it checks.
//
// Memory: up to 64 MiB of frames, one log segment, and 30 to 40 bytes for each chunk of the snapshot at hand (1 TB of database pages:
// about 700 MB). A tree line of more than 256 MiB (one file of some 250 GB) is told as damaged. Nothing is ever written to the vault.

import { spawn, spawnSync } from 'node:child_process';
import { createDecipheriv, createHash, createHmac, hkdfSync, scryptSync, timingSafeEqual } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import zlib from 'node:zlib';

const usage = `usage: node rescue.mjs --vault DIR KEY COMMAND

DIR is a directory with the objects of one copy (for a bucket: a download of all of it).
KEY is one of
  --key-file FILE          the key file of a slot of kind file
  --passphrase-file FILE   a file whose first line is the passphrase of a slot
  --kms-key-file FILE      what 'aws kms decrypt' printed for a slot of kind kms: 32 bytes, plain, hexadecimal or base64
COMMAND is one of
  list [COMPONENT]         snapshots and log
  restore SNAPSHOT --to TARGET [--log [--wal WAL] [--timeline N] [TARGET OPTION] [--exclusive]]
                           writes and verifies all files; --log: also the log (to WAL, default 'wal' beside TARGET) and
                           settings for a recovery with PostgreSQL's own server, to the end of the log or to
                           --target-time ISO-TIME, --target-lsn X/Y, --target-xid N or --target-name NAME
  log COMPONENT --wal WAL [--system-id ID]
                           writes all log as segment files
  check [COMPONENT]        reads everything: packs against their names, every chunk, every snapshot, the log
also: --zstd PROGRAM       the program used where Node has no zstd (default zstd); given, it is used in any case
exit status: 0 done and whole, 1 failed, 2 wrong use, 3 refused with nothing written, 4 done, but something is damaged or missing
`;

// ── Trouble ──────────────────────────────────────────────────────────────────────────────────────────────────────────

const statuses = { failed: 1, usage: 2, refused: 3, damaged: 1, missing: 1, unreadable: 1 };

/** Everything that can be wrong and is told in one line; `kind` is one of `statuses`. */
export class Trouble extends Error {
  constructor(kind, message, hint) {
    super(message);
    this.kind = kind;
    this.hint = hint;
  }
}

const damaged = (message) => new Trouble('damaged', message);
const quoted = (text) =>
  `'${String(text)
    .replace(/[^\x20-\x7e\u00a0-\u{10ffff}]/gu, '?')
    .slice(0, 300)}'`;

function need(condition, message) {
  if (!condition) throw damaged(message);
}

/** What a system call had to say: a name that is not there is missing, all else is unknown. */
function fromSystem(error, what) {
  if (error instanceof Trouble || typeof error?.code !== 'string') return error;
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return new Trouble('missing', `${what} is not there`);
  return new Trouble('unreadable', `${what} cannot be read (${error.code})`);
}

// ── Objects in a directory ───────────────────────────────────────────────────────────────────────────────────────────

const isPart = (part) =>
  /^[A-Za-z0-9._-]{1,255}$/.test(part) && part !== '.' && part !== '..' && !part.startsWith('.tmp-');
const deepestKey = 8;

export class Folder {
  constructor(root) {
    this.root = root;
  }

  locate(key) {
    const parts = key.split('/');
    need(parts.length <= deepestKey && parts.every(isPart), `${quoted(key)} is not the name of an object`);
    return path.join(this.root, ...parts);
  }

  size(key) {
    const file = this.locate(key);
    try {
      const stat = fs.statSync(file);
      if (!stat.isFile()) throw new Trouble('unreadable', `${quoted(key)} is no regular file`);
      return stat.size;
    } catch (error) {
      throw fromSystem(error, quoted(key));
    }
  }

  /** Exactly `length` bytes from `offset`. */
  read(key, offset, length) {
    const sizeBytes = this.size(key);
    need(offset + length <= sizeBytes, `${quoted(key)} ends early`);
    let file;
    try {
      file = fs.openSync(this.locate(key), 'r');
      const bytes = Buffer.allocUnsafe(length);
      for (let at = 0; at < length; ) {
        const got = fs.readSync(file, bytes, at, Math.min(length - at, 1 << 30), offset + at);
        need(got > 0, `${quoted(key)} ends early`);
        at += got;
      }
      return bytes;
    } catch (error) {
      throw fromSystem(error, quoted(key));
    } finally {
      if (file !== undefined) fs.closeSync(file);
    }
  }

  readAll(key, limitBytes) {
    const sizeBytes = this.size(key);
    need(sizeBytes <= limitBytes, `${quoted(key)} is larger than any such object (${sizeBytes} bytes)`);
    return this.read(key, 0, sizeBytes);
  }

  /** Names below a key, `[]` when there is nothing of that name. */
  names(key) {
    try {
      const entries = fs.readdirSync(key === '' ? this.root : this.locate(key));
      return entries.filter(isPart).sort();
    } catch (error) {
      const trouble = fromSystem(error, quoted(key));
      if (trouble instanceof Trouble && trouble.kind === 'missing') return [];
      throw trouble;
    }
  }

  /** All keys below a key, in order. */
  *keys(key, depth = 0) {
    for (const name of this.names(key)) {
      const child = key === '' ? name : `${key}/${name}`;
      const file = path.join(this.root, child);
      let stat;
      try {
        stat = fs.statSync(file);
      } catch (error) {
        throw fromSystem(error, quoted(child));
      }
      if (!stat.isDirectory()) yield child;
      else if (depth + 1 < deepestKey) yield* this.keys(child, depth + 1);
    }
  }
}

// ── Encryption ───────────────────────────────────────────────────────────────────────────────────────────────────────

const tagBytes = 16;

function derive(inputKey, salt, info) {
  return Buffer.from(hkdfSync('sha256', inputKey, salt, `holdfast/1/${info}`, 32));
}

function nonceOf(offset) {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(offset), 4);
  return nonce;
}

/** The plain bytes of `ciphertext ‖ tag`, or `undefined` when they are not what somebody with the key wrote there. */
function decrypt(key, offset, associated, sealed) {
  if (sealed.length < tagBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(offset), { authTagLength: tagBytes });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(0, sealed.length - tagBytes)), decipher.final()]);
  } catch {
    return undefined;
  }
}

const sha256 = (bytes) => createHash('sha256').update(bytes).digest();
const isHex = (value, bytes) => typeof value === 'string' && value.length === bytes * 2 && /^[0-9a-f]*$/.test(value);
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isCount = (value) => Number.isSafeInteger(value) && value >= 0;

function parseJson(bytes, what) {
  let value;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    throw damaged(`${what} is not JSON`);
  }
  need(isObject(value), `${what} is not a JSON object`);
  return value;
}

// ── Compression ──────────────────────────────────────────────────────────────────────────────────────────────────────

const gunzip = promisify(zlib.gunzip);
const zstdDecompress = zlib.zstdDecompress ? promisify(zlib.zstdDecompress) : undefined;
/** Plain bytes that one run of the zstd program is given. */
const batchBytes = 64 * 1024 * 1024;

export class Decompressor {
  constructor(program) {
    this.program = program ?? (zstdDecompress ? undefined : 'zstd');
  }

  /** Each job is `{ codec, bytes, plainLength, what }`; the answer has the plain bytes of each, or its Trouble. */
  async all(jobs) {
    const results = new Array(jobs.length);
    let batch = [];
    let pending = 0;
    for (const [at, job] of jobs.entries()) {
      if (job.codec === 1 && this.program !== undefined) {
        if (batch.length > 0 && pending + job.plainLength > batchBytes) {
          await this.#runBatch(jobs, batch, results);
          [batch, pending] = [[], 0];
        }
        batch.push(at);
        pending += job.plainLength;
      } else {
        results[at] = this.#inProcess(job);
      }
    }
    if (batch.length > 0) await this.#runBatch(jobs, batch, results);
    return Promise.all(results);
  }

  async one(job) {
    const [result] = await this.all([job]);
    if (result instanceof Error) throw result;
    return result;
  }

  async #inProcess({ codec, bytes, plainLength, what }) {
    const limit = {
      maxOutputLength: Math.max(1, plainLength),
      chunkSize: Math.min(plainLength, largestFrameBytes) + 64,
    };
    let plain;
    try {
      if (codec === 0) plain = bytes;
      else if (codec === 1) plain = await zstdDecompress(bytes, limit);
      else if (codec === 2) plain = await gunzip(bytes, limit);
      else return damaged(`${what} has the unknown codec ${codec}`);
    } catch {
      return damaged(`${what} does not decompress`);
    }
    return plain.length === plainLength ? plain : damaged(`${what} has another length than it says`);
  }

  /** Frames one after another through one process; when one of them is bad, each gets its own, to find which. */
  async #runBatch(jobs, batch, results) {
    const total = batch.reduce((sum, at) => sum + jobs[at].plainLength, 0);
    const plain = await runZstd(
      this.program,
      batch.map((at) => jobs[at].bytes),
      total,
    );
    if (plain !== undefined && plain.length === total) {
      let from = 0;
      for (const at of batch) {
        results[at] = plain.subarray(from, from + jobs[at].plainLength);
        from += jobs[at].plainLength;
      }
    } else if (batch.length === 1) {
      results[batch[0]] = damaged(`${jobs[batch[0]].what} does not decompress to what it says`);
    } else {
      for (const at of batch) await this.#runBatch(jobs, [at], results);
    }
  }
}

/** What the program makes of its input, `undefined` when it is not content with it or makes more than `limitBytes`. */
function runZstd(program, inputs, limitBytes) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-d', '-q', '-c'], { stdio: ['pipe', 'pipe', 'ignore'] });
    const pieces = [];
    let length = 0;
    child.on('error', (error) => {
      const hint = "install the program 'zstd', or run this file with Node 22.15 or newer";
      reject(
        new Trouble(
          'failed',
          `this Node (${process.version}) has no zstd, and ${quoted(program)} cannot be started (${error.code})`,
          hint,
        ),
      );
    });
    child.stdout.on('data', (piece) => {
      length += piece.length;
      if (length > limitBytes) child.kill('SIGKILL');
      else pieces.push(piece);
    });
    child.stdin.on('error', () => {}); // it left early; its exit status says so
    child.on('close', (code) =>
      resolve(code === 0 && length <= limitBytes ? Buffer.concat(pieces, length) : undefined),
    );
    let next = 0;
    const feed = () => {
      while (next < inputs.length) if (!child.stdin.write(inputs[next++])) return void child.stdin.once('drain', feed);
      child.stdin.end();
    };
    feed();
  });
}

// ── Descriptor and key slots (FORMAT.md, section 4) ──────────────────────────────────────────────────────────────────

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function parseDescriptor(bytes) {
  const value = parseJson(bytes, "'holdfast.json'");
  if (value.format !== 1) {
    throw new Trouble('failed', `this vault has format ${quoted(value.format)}, and this program reads format 1`);
  }
  const { vault, estate, created, mac } = value;
  need(typeof vault === 'string' && uuid.test(vault), "'holdfast.json' has no vault id");
  need(typeof estate === 'string' && typeof created === 'string' && isHex(mac, 32), "'holdfast.json' is incomplete");
  return { vault, estate, created, mac, id: Buffer.from(vault.replaceAll('-', ''), 'hex') };
}

/** Bounds of section 4: a forged slot must neither cost gigabytes nor make a passphrase cheap to guess. */
export function parseSlot(key, bytes) {
  const what = `key slot ${quoted(key)}`;
  const slot = parseJson(bytes, what);
  const name = /^keys\/([a-z0-9][a-z0-9-]*)\.[0-9a-f]{8}\.json$/.exec(key)?.[1];
  need(name !== undefined && slot.slot === name, `${what} is under another name than its own`);
  need(['file', 'passphrase', 'kms'].includes(slot.kind), `${what} has the unknown kind ${quoted(slot.kind)}`);
  need(isHex(slot.salt, 32) && isHex(slot.wrapped, 48) && typeof slot.created === 'string', `${what} is incomplete`);
  if (slot.kind === 'passphrase') {
    const { N, r, p, salt } = isObject(slot.scrypt) ? slot.scrypt : {};
    const isPower = Number.isInteger(N) && Number.isInteger(Math.log2(N));
    need(isPower && N >= 2 ** 15 && N <= 2 ** 20, `${what} has an unacceptable N of scrypt`);
    need(Number.isInteger(r) && r >= 8 && r <= 16 && 128 * N * r <= 2 ** 28, `${what} has an unacceptable r of scrypt`);
    need(Number.isInteger(p) && p >= 1 && p <= 4 && isHex(salt, 32), `${what} has unacceptable settings of scrypt`);
  }
  if (slot.kind === 'kms') {
    const { keyId, ciphertext } = isObject(slot.kms) ? slot.kms : {};
    need(typeof keyId === 'string' && /^[\x21-\x7e]{1,2048}$/.test(keyId), `${what} names no key`);
    need(typeof ciphertext === 'string' && /^[A-Za-z0-9+/=]{1,16384}$/.test(ciphertext), `${what} has no ciphertext`);
  }
  return slot;
}

function openSlot(vault, key, slot, secretOf) {
  const secret = secretOf(slot);
  const wrapped = Buffer.from(slot.wrapped, 'hex');
  const associated = Buffer.from(`holdfast/1/slot\n${vault}\n${key}\n${slot.kind}\n${slot.created}\n`);
  return decrypt(derive(secret, Buffer.from(slot.salt, 'hex'), 'slot'), 0, associated, wrapped);
}

function readSecretFile(file) {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    throw new Trouble('usage', `${quoted(file)} cannot be read (${error.code})`);
  }
}

/** Which kind of slot the options can open, and how. */
function secretFrom(options) {
  if (options['key-file'] !== undefined) {
    const match = /^holdfast-key-1:([0-9a-f]{64})\s*$/.exec(readSecretFile(options['key-file']).toString('latin1'));
    if (!match)
      throw new Trouble(
        'usage',
        `${quoted(options['key-file'])} is no key file: expected 'holdfast-key-1:' and 64 hexadecimal digits`,
      );
    return { kind: 'file', secretOf: () => Buffer.from(match[1], 'hex') };
  }
  if (options['passphrase-file'] !== undefined) {
    const [line] = readSecretFile(options['passphrase-file']).toString('utf8').split(/\r?\n/);
    if (line === '') throw new Trouble('usage', `${quoted(options['passphrase-file'])} has an empty first line`);
    const secretOf = ({ scrypt: { N, r, p, salt } }) =>
      scryptSync(line.normalize('NFC'), Buffer.from(salt, 'hex'), 32, { N, r, p, maxmem: 256 * N * r });
    return { kind: 'passphrase', secretOf };
  }
  if (options['kms-key-file'] !== undefined) {
    const bytes = readSecretFile(options['kms-key-file']);
    const secret = plainKey(bytes);
    if (!secret)
      throw new Trouble(
        'usage',
        `${quoted(options['kms-key-file'])} does not hold 32 bytes, plain, hexadecimal or base64`,
      );
    return { kind: 'kms', secretOf: () => secret };
  }
  return undefined;
}

function plainKey(bytes) {
  if (bytes.length === 32) return bytes;
  const text = bytes.toString('latin1').trim();
  if (/^[0-9a-fA-F]{64}$/.test(text)) return Buffer.from(text, 'hex');
  if (/^[A-Za-z0-9+/]{43}=$/.test(text)) return Buffer.from(text, 'base64');
  return undefined;
}

const largestSlotBytes = 16 * 1024;

function readSlots(folder) {
  const slots = [];
  const troubles = [];
  const keys = folder.names('keys').filter((name) => name.endsWith('.json'));
  for (const name of keys.slice(0, 256)) {
    const key = `keys/${name}`;
    try {
      slots.push({ key, slot: parseSlot(key, folder.readAll(key, largestSlotBytes)) });
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      troubles.push(error.message);
    }
  }
  return { slots, troubles };
}

function decryptCommand(vault, { slot, kms }) {
  return [
    `aws kms decrypt --key-id ${shellQuoted(kms.keyId)} --ciphertext-blob ${shellQuoted(kms.ciphertext)}`,
    `--encryption-context holdfast-vault=${vault},holdfast-slot=${slot}`,
    '--query Plaintext --output text > kms-key',
  ].join(' \\\n    ');
}

/** Opens the vault: `{ folder, id, estate, vaultKey, … }`. */
export function openVault(folder, options) {
  const descriptor = parseDescriptor(folder.readAll('holdfast.json', 64 * 1024));
  const { slots, troubles } = readSlots(folder);
  const given = secretFrom(options);
  const list = slots.map(({ key, slot }) => `${quoted(slot.slot)} (${slot.kind}, ${key})`).join(', ') || 'none';
  const kms = slots.find(({ slot }) => slot.kind === 'kms');
  const hint =
    kms &&
    `for ${quoted(kms.slot.slot)}, after comparing the key with your own records:\n  ${decryptCommand(descriptor.vault, kms.slot)}\n  then --kms-key-file kms-key`;
  if (!given) throw new Trouble('usage', `no key is given; slots here: ${list}`, hint);
  for (const { key, slot } of slots.filter(({ slot: { kind } }) => kind === given.kind)) {
    const vaultKey = openSlot(descriptor.vault, key, slot, given.secretOf);
    if (!vaultKey) continue;
    const { id, estate, vault, created } = descriptor;
    const text = `holdfast/1/descriptor\n1\n${vault}\n${estate}\n${created}\n`;
    const mac = createHmac('sha256', derive(vaultKey, id, 'descriptor'))
      .update(text)
      .digest();
    need(
      timingSafeEqual(mac, Buffer.from(descriptor.mac, 'hex')),
      "'holdfast.json' was changed by somebody without the key",
    );
    return { folder, id, estate, vaultId: vault, vaultKey, decompressor: new Decompressor(options.zstd) };
  }
  const why = troubles.length > 0 ? `; ${troubles.join('; ')}` : '';
  throw new Trouble('failed', `this key opens no slot of this vault; slots here: ${list}${why}`, hint);
}

// ── Sealed objects (section 5) ───────────────────────────────────────────────────────────────────────────────────────

const types = {
  generationKey: 1,
  index: 2,
  manifest: 3,
  segment: 4,
  extent: 5,
  mark: 6,
  history: 7,
  record: 8,
  lease: 9,
  slotRemoval: 10,
  tombstone: 11,
  hold: 12,
};
const largestHeaderBytes = 16 * 1024 * 1024;
const largestBodyBytes = 2 * 1024 * 1024 * 1024;
const preambleBytes = 64;

export function parsePreamble(bytes, key) {
  need(
    bytes.length >= preambleBytes && bytes.toString('latin1', 0, 4) === 'HFSO',
    `${quoted(key)} is no sealed object`,
  );
  need(bytes[4] === 1, `${quoted(key)} has version ${bytes[4]} of the container, this program knows 1`);
  const [stored1, plain1] = [bytes.readBigUInt64BE(48), bytes.readBigUInt64BE(56)].map(Number);
  const sections = [
    { codec: bytes[6], stored: bytes.readUInt32BE(40), plain: bytes.readUInt32BE(44), offset: preambleBytes },
    { codec: bytes[7], stored: stored1, plain: plain1, offset: preambleBytes + bytes.readUInt32BE(40) + tagBytes },
  ];
  for (const [n, limit] of [largestHeaderBytes, largestBodyBytes].entries()) {
    need(
      Math.max(sections[n].stored, sections[n].plain) <= limit,
      `${quoted(key)} claims a section beyond ${limit} bytes`,
    );
  }
  return { type: bytes[5], salt: bytes.subarray(8, 40), sections, sizeBytes: sections[1].offset + stored1 + tagBytes };
}

/** Header and body of an object; `headerOnly` reads no more than section 0. */
async function unseal(vault, type, baseKey, key, { headerOnly = false } = {}) {
  const sizeBytes = vault.folder.size(key);
  need(sizeBytes >= preambleBytes + 2 * tagBytes, `${quoted(key)} is too short`);
  const preamble = vault.folder.read(key, 0, preambleBytes);
  const { type: found, salt, sections, sizeBytes: said } = parsePreamble(preamble, key);
  need(found === type, `${quoted(key)} is of type ${found}, not ${type}`);
  need(said === sizeBytes, `${quoted(key)} has ${sizeBytes} bytes, not ${said}`);
  const objectKey = derive(baseKey, salt, 'sealed');
  const jobs = (headerOnly ? sections.slice(0, 1) : sections).map(({ codec, stored, plain, offset }, n) => {
    const associated = Buffer.concat([preamble, vault.id, Buffer.from([n]), Buffer.from(key)]);
    const bytes = decrypt(objectKey, offset, associated, vault.folder.read(key, offset, stored + tagBytes));
    need(bytes !== undefined, `${quoted(key)} was changed, or put here from another place`);
    return { codec, bytes, plainLength: plain, what: quoted(key) };
  });
  const opened = await vault.decompressor.all(jobs);
  for (const each of opened) if (each instanceof Error) throw each;
  return { header: parseJson(opened[0], `the header of ${quoted(key)}`), body: opened[1] };
}

const fromVaultKey = (vault, info) => derive(vault.vaultKey, vault.id, info);

// ── Generations and packs (sections 6 and 7) ─────────────────────────────────────────────────────────────────────────

const generationName = /^[a-z0-9][a-z0-9-]*-\d{8}T\d{6}Z-[0-9a-f]{8}$/;

async function openGeneration(vault, component, generation) {
  need(generationName.test(generation), `${quoted(generation)} is not the name of a generation`);
  const location = `${component}/generations/${generation}`;
  const { header, body } = await unseal(
    vault,
    types.generationKey,
    fromVaultKey(vault, 'generation-key'),
    `${location}/key`,
  );
  need(
    header.generation === generation && header.component === component,
    `'${location}/key' is of another generation`,
  );
  need(body.length === 32, `'${location}/key' has no key of 32 bytes`);
  return { location, dataKey: body, indexKey: derive(body, vault.id, 'index') };
}

const packKey = (generation, name) => `${generation.location}/packs/${name.slice(0, 2)}/${name}`;
const packHeadBytes = 40;
const trailerBytes = 16;
const largestFrameBytes = 16 * 1024 * 1024;

function packData(vault, generation, kind, codec, plainLength, place) {
  const head = Buffer.alloc(6);
  head.write('HFPK', 'latin1');
  head.set([1, kind], 4);
  const lengths = Buffer.alloc(5);
  lengths.writeUInt8(codec);
  lengths.writeUInt32BE(plainLength, 1);
  return Buffer.concat([head, vault.id, lengths, place, Buffer.from(generation.location)]);
}

/** Calls back for each frame, and for each chunk with its offset in the frame. */
export function parsePackIndex(index, frameCount, what, onFrame, onChunk) {
  let at = 0;
  let frames = 0;
  let least = packHeadBytes;
  while (at < index.length) {
    need(at + 16 <= index.length, `the index of ${what} ends in the middle`);
    const frame = {
      offset: index.readUInt32BE(at),
      stored: index.readUInt32BE(at + 4),
      plain: index.readUInt32BE(at + 8),
      codec: index[at + 12],
    };
    const chunks = index.readUIntBE(at + 13, 3);
    at += 16;
    need(frame.offset >= least, `the index of ${what} has frames that overlap`);
    least = frame.offset + frame.stored + tagBytes;
    need(
      frame.plain <= largestFrameBytes && frame.stored <= largestFrameBytes,
      `the index of ${what} has a frame beyond 16 MiB`,
    );
    need(chunks > 0 && at + chunks * 36 <= index.length, `the index of ${what} ends in the middle`);
    const number = onFrame(frame);
    let inFrame = 0;
    for (let n = 0; n < chunks; n++, at += 36) {
      const length = index.readUInt32BE(at + 32);
      need(length > 0, `the index of ${what} has an empty chunk`);
      onChunk(index.subarray(at, at + 32), number, inFrame, length);
      inFrame += length;
    }
    need(inFrame === frame.plain, `the index of ${what} has chunks that do not fill their frame`);
    frames++;
  }
  if (frameCount !== undefined)
    need(frames === frameCount, `the index of ${what} has ${frames} frames, not ${frameCount}`);
  return least;
}

/** The pack's key and its own index, from its head and its end. */
function openPack(vault, generation, name, sizeBytes) {
  const key = packKey(generation, name);
  const actual = vault.folder.size(key);
  if (sizeBytes !== undefined) need(actual === sizeBytes, `pack ${quoted(name)} has ${actual} bytes, not ${sizeBytes}`);
  need(
    actual >= packHeadBytes + trailerBytes + tagBytes && actual < 2 ** 32,
    `pack ${quoted(name)} cannot be ${actual} bytes long`,
  );
  const head = vault.folder.read(key, 0, packHeadBytes);
  need(head.toString('latin1', 0, 4) === 'HFPK' && head[4] === 1, `pack ${quoted(name)} is no pack of version 1`);
  const trailer = vault.folder.read(key, actual - trailerBytes, trailerBytes);
  need(trailer.toString('latin1', 12) === 'HFPE', `pack ${quoted(name)} has no end`);
  const [offset, plain, frames] = [0, 4, 8].map((at) => trailer.readUInt32BE(at));
  need(
    offset >= packHeadBytes && offset + plain + tagBytes + trailerBytes === actual,
    `pack ${quoted(name)} has an end that does not fit it`,
  );
  const packSecret = derive(generation.dataKey, head.subarray(8, 40), 'pack');
  const place = Buffer.concat([trailer, Buffer.alloc(16)]);
  const index = decrypt(
    packSecret,
    offset,
    packData(vault, generation, 1, 0, plain, place),
    vault.folder.read(key, offset, plain + tagBytes),
  );
  need(index !== undefined, `the index of pack ${quoted(name)} was changed, or is of another generation`);
  return { key, name, packSecret, index, frames, framesEnd: offset };
}

/** Opens frames of packs: deciphered in this process, decompressed together. */
async function openFrames(vault, wanted) {
  const zeros = Buffer.alloc(32);
  const results = new Array(wanted.length);
  const jobs = [];
  for (const [at, { generation, name, packSecret, frame }] of wanted.entries()) {
    const what = `frame ${frame.offset} of pack ${quoted(name)}`;
    try {
      const sealed = vault.folder.read(packKey(generation, name), frame.offset, frame.stored + tagBytes);
      const associated = packData(vault, generation, 0, frame.codec, frame.plain, zeros);
      const bytes = decrypt(packSecret(), frame.offset, associated, sealed);
      need(bytes !== undefined, `${what} was changed`);
      jobs.push({ at, codec: frame.codec, bytes, plainLength: frame.plain, what });
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      results[at] = error;
    }
  }
  for (const [n, plain] of (await vault.decompressor.all(jobs)).entries()) results[jobs[n].at] = plain;
  return results;
}

// ── Where chunks lie ─────────────────────────────────────────────────────────────────────────────────────────────────

/** Columns of 32-bit numbers that grow: a million frames as objects would be too much. */
class Columns {
  constructor(width, capacity) {
    this.width = width;
    this.cells = new Uint32Array(width * capacity);
    this.length = 0;
  }

  add(...values) {
    if ((this.length + 1) * this.width > this.cells.length) {
      const larger = new Uint32Array(this.cells.length * 2);
      larger.set(this.cells);
      this.cells = larger;
    }
    this.cells.set(values, this.length * this.width);
    return this.length++;
  }

  get(row, column) {
    return this.cells[row * this.width + column];
  }
}

/** An open hash table on the first 8 bytes of the id (keyed hashes: nobody can make two of them meet); the whole id is checked when a chunk is read. */
export class ChunkTable {
  constructor() {
    this.capacity = 1 << 12;
    this.cells = new Uint32Array(this.capacity * 5);
    this.count = 0;
  }

  /** The first place told for an id stays. */
  add(id, frame, offset, length) {
    if (this.count * 3 >= this.capacity * 2) this.#grow();
    if (this.#put(id.readUInt32BE(0), id.readUInt32BE(4), frame, offset, length)) this.count++;
  }

  find(id) {
    const at = this.#cellOf(id.readUInt32BE(0), id.readUInt32BE(4));
    const [, , frame, offset, length] = this.cells.subarray(at, at + 5);
    return length === 0 ? undefined : { frame, offset, length };
  }

  #cellOf(high, low) {
    const mask = this.capacity - 1;
    for (let slot = low & mask; ; slot = (slot + 1) & mask) {
      const at = slot * 5;
      if (this.cells[at + 4] === 0 || (this.cells[at] === high && this.cells[at + 1] === low)) return at;
    }
  }

  #put(high, low, frame, offset, length) {
    const at = this.#cellOf(high, low);
    if (this.cells[at + 4] !== 0) return false;
    this.cells.set([high, low, frame, offset, length], at);
    return true;
  }

  #grow() {
    const old = this.cells;
    this.capacity *= 2;
    this.cells = new Uint32Array(this.capacity * 5);
    for (let at = 0; at < old.length; at += 5) {
      if (old[at + 4] !== 0) this.#put(old[at], old[at + 1], old[at + 2], old[at + 3], old[at + 4]);
    }
  }
}

/** Calls back with name and plain index of each pack that an index object tells about. */
export function parseIndexObject(body, what, onPack) {
  for (let at = 0; at < body.length; ) {
    need(at + 44 <= body.length, `${what} ends in the middle`);
    const length = body.readUInt32BE(at + 40);
    need(at + 44 + length <= body.length, `${what} ends in the middle`);
    onPack(
      body.toString('hex', at, at + 32),
      body.subarray(at + 44, at + 44 + length),
      Number(body.readBigUInt64BE(at + 32)),
    );
    at += 44 + length;
  }
}

const cacheBytes = 64 * 1024 * 1024;

/** All chunks of one snapshot. */
class ChunkSource {
  constructor(vault) {
    this.vault = vault;
    this.chunkIdKey = fromVaultKey(vault, 'chunk-id');
    this.packs = [];
    this.frames = new Columns(5, 1024);
    this.table = new ChunkTable();
    this.cache = new Map();
    this.cached = 0;
    /** Of opened frames: the ids that chunks in them were compared with, by offset; a file made of pieces comes back to a chunk. */
    this.compared = new WeakMap();
    /** What was wrong with generations, indexes and packs; chunks that are needed and not found are told again by their files. */
    this.troubles = [];
  }

  async open(manifest) {
    for (const part of manifest.parts) {
      await this.#attempt(async () => {
        const generation = await openGeneration(this.vault, manifest.component, part.generation);
        const byName = new Map();
        for (const [name, sizeBytes] of part.packs) {
          byName.set(name, this.packs.push({ generation, name, sizeBytes, told: false }) - 1);
        }
        for (const key of part.indexes) await this.#attempt(() => this.#readIndex(generation, key, byName), 'note');
        for (const at of byName.values()) if (!this.packs[at].told) await this.#attempt(() => this.#ownIndex(at));
      });
    }
    return this;
  }

  async #attempt(work, weight = 'loss') {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.troubles.push({ weight, error });
    }
  }

  async #readIndex(generation, key, byName) {
    need(key.startsWith(`${generation.location}/indexes/`), `${quoted(key)} is no index of its generation`);
    const { body } = await unseal(this.vault, types.index, generation.indexKey, key);
    parseIndexObject(body, quoted(key), (name, index) => {
      const at = byName.get(name);
      if (at !== undefined && !this.packs[at].told) this.#remember(at, index, undefined);
    });
  }

  #ownIndex(at) {
    const { generation, name, sizeBytes } = this.packs[at];
    const { index, frames } = openPack(this.vault, generation, name, sizeBytes);
    this.#remember(at, index, frames);
  }

  #remember(pack, index, frameCount) {
    const onFrame = ({ offset, stored, plain, codec }) => this.frames.add(pack, offset, stored, plain, codec);
    const onChunk = (id, frame, offset, length) => this.table.add(id, frame, offset, length);
    parsePackIndex(index, frameCount, `pack ${quoted(this.packs[pack].name)}`, onFrame, onChunk);
    this.packs[pack].told = true;
  }

  /** `{ bytes }` for each id in order, or `{ error, length }`. */
  async *chunks(ids) {
    for (let done = 0; done < ids.length; ) {
      const places = [];
      const wanted = new Set();
      for (let room = cacheBytes / 2; done + places.length < ids.length; ) {
        const place = this.table.find(ids[done + places.length]);
        if (place && !wanted.has(place.frame)) {
          room -= this.frames.get(place.frame, 3);
          if (room < 0 && wanted.size > 0) break;
          wanted.add(place.frame);
        }
        places.push(place);
      }
      await this.#load(wanted);
      for (const place of places) yield this.#take(ids[done++], place);
    }
  }

  async #load(wanted) {
    const missing = [...wanted].filter((frame) => !this.cache.has(frame)).sort((a, b) => a - b);
    for (const frame of wanted) {
      const known = this.cache.get(frame);
      if (known === undefined) continue;
      this.cache.delete(frame); // to the end of the line
      this.cache.set(frame, known);
    }
    const opened = await openFrames(
      this.vault,
      missing.map((frame) => this.#describe(frame)),
    );
    for (const [n, frame] of missing.entries()) {
      this.cache.set(frame, opened[n]);
      this.cached += opened[n].length ?? 0;
    }
    for (const [frame, plain] of this.cache) {
      if (this.cached <= cacheBytes || wanted.has(frame)) break;
      this.cache.delete(frame);
      this.cached -= plain.length ?? 0;
    }
  }

  #describe(frame) {
    const [pack, offset, stored, plain, codec] = [0, 1, 2, 3, 4].map((column) => this.frames.get(frame, column));
    const { generation, name } = this.packs[pack];
    return { generation, name, packSecret: () => this.#packSecret(pack), frame: { offset, stored, plain, codec } };
  }

  #packSecret(at) {
    const pack = this.packs[at];
    if (!pack.secret) {
      const head = this.vault.folder.read(packKey(pack.generation, pack.name), 0, packHeadBytes);
      need(
        head.toString('latin1', 0, 4) === 'HFPK' && head[4] === 1,
        `pack ${quoted(pack.name)} is no pack of version 1`,
      );
      pack.secret = derive(pack.generation.dataKey, head.subarray(8, 40), 'pack');
    }
    return pack.secret;
  }

  #take(id, place) {
    if (!place)
      return {
        error: new Trouble('missing', `chunk ${id.toString('hex').slice(0, 12)}… is in no pack that can be read`),
      };
    const plain = this.cache.get(place.frame);
    if (plain instanceof Error) return { error: plain, length: place.length };
    const bytes = plain.subarray(place.offset, place.offset + place.length);
    const compared = this.compared.get(plain) ?? new Map();
    this.compared.set(plain, compared);
    if (compared.get(place.offset)?.equals(id)) return { bytes };
    const isRight = createHmac('sha256', this.chunkIdKey).update(sha256(bytes)).digest().equals(id);
    if (isRight) compared.set(place.offset, id);
    return isRight ? { bytes } : { error: damaged('a chunk is not what its id says'), length: place.length };
  }
}

// ── Snapshots (section 7) ────────────────────────────────────────────────────────────────────────────────────────────

const componentName = /^[a-z]+\/[a-z0-9][a-z0-9-]*$/;
const manifestName = /^([a-z]+\/[a-z0-9][a-z0-9-]*)\/snapshots\/(\d{8})\.(\d{8}T\d{6}Z-[0-9a-f]{8})$/;
const isText = (value) => typeof value === 'string' && value.length < 4096;

export function parseManifestHeader(key, header) {
  const [, component, sequence, id] = manifestName.exec(key) ?? [];
  const what = `manifest ${quoted(key)}`;
  need(id !== undefined, `${quoted(key)} is not the name of a manifest`);
  need(
    header.id === id && header.component === component && header.sequence === Number(sequence),
    `${what} is of another snapshot`,
  );
  need(
    ['kind', 'class', 'generation', 'from', 'to', 'state', 'host'].every((name) => isText(header[name])),
    `${what} is incomplete`,
  );
  need(header.previous === null || isHex(header.previous, 32), `${what} names no predecessor`);
  need(isObject(header.statistics) && isObject(header.engine), `${what} is incomplete`);
  return header;
}

export function parseManifestBody(key, bytes) {
  const what = `manifest ${quoted(key)}`;
  const { parts, tree, treeBytes, treeSha256 } = parseJson(bytes, what);
  const isPack = (pack) => Array.isArray(pack) && isHex(pack[0], 32) && isCount(pack[1]);
  const isGood = (part) =>
    isObject(part) &&
    isText(part.generation) &&
    Array.isArray(part.packs) &&
    part.packs.every(isPack) &&
    Array.isArray(part.indexes) &&
    part.indexes.every(isText);
  need(Array.isArray(parts) && parts.length > 0 && parts.every(isGood), `${what} does not name its packs`);
  need(Array.isArray(tree) && tree.every((id) => isHex(id, 32)), `${what} does not name the chunks of its tree`);
  need(isCount(treeBytes) && isHex(treeSha256, 32), `${what} does not describe its tree`);
  return { parts, tree, treeBytes, treeSha256 };
}

async function readManifest(vault, key) {
  const { header, body } = await unseal(vault, types.manifest, fromVaultKey(vault, 'manifest'), key);
  return { key, ...parseManifestHeader(key, header), ...parseManifestBody(key, body) };
}

async function readManifestHeader(vault, key) {
  const { header } = await unseal(vault, types.manifest, fromVaultKey(vault, 'manifest'), key, { headerOnly: true });
  return { key, ...parseManifestHeader(key, header) };
}

function componentsOf(folder) {
  const found = [];
  for (const kind of folder.names('')) {
    if (['keys', 'runs', 'leases', 'tombstones', 'holds', 'probe'].includes(kind) || !/^[a-z]+$/.test(kind)) continue;
    for (const name of folder.names(kind)) if (componentName.test(`${kind}/${name}`)) found.push(`${kind}/${name}`);
  }
  return found;
}

const manifestKeys = (folder, component) =>
  folder.names(`${component}/snapshots`).map((name) => `${component}/snapshots/${name}`);

/** Keys of manifests that a tombstone names (section 13): they go when its grace is over. Those that were released again are not counted. */
async function namedForDeletion(vault) {
  const named = new Set();
  const baseKey = fromVaultKey(vault, 'retention');
  for (const tombstone of vault.folder.names('tombstones')) {
    const released = new Set();
    const lists = [];
    for (const name of vault.folder.names(`tombstones/${tombstone}`)) {
      if (name !== 'list' && !name.startsWith('released.')) continue;
      const { body } = await unseal(vault, types.tombstone, baseKey, `tombstones/${tombstone}/${name}`);
      const { manifests = [], keys = [] } = parseJson(body, `tombstone ${quoted(tombstone)}`);
      need(Array.isArray(manifests) && Array.isArray(keys), `tombstone ${quoted(tombstone)} names nothing`);
      lists.push(...manifests);
      for (const key of keys) released.add(key);
    }
    for (const [key] of lists.filter(Array.isArray)) if (!released.has(key)) named.add(key);
  }
  return named;
}

const largestLineBytes = 256 * 1024 * 1024;

const mostPieces = 1024 * 1024;

/** Three numbers for each piece of a file: which of its chunks, offset in it, length. What lies outside of a chunk is found when its length is known. */
function arePieces({ pieces, chunks, sizeBytes }) {
  if (!Array.isArray(pieces) || pieces.length === 0 || pieces.length % 3 !== 0 || pieces.length > 3 * mostPieces)
    return false;
  let length = 0;
  for (let at = 0; at < pieces.length; at += 3) {
    if (![0, 1, 2].every((n) => isCount(pieces[at + n]) && pieces[at + n] < 2 ** 32)) return false;
    if (pieces[at] >= chunks.length || pieces[at + 2] === 0) return false;
    length += pieces[at + 2];
  }
  return length === sizeBytes;
}

/** What a file is made of, in its order; `length` is undefined for a chunk as it is. */
function* slicesOf({ chunks, pieces }) {
  const ids = chunks.map((id) => Buffer.from(id, 'hex'));
  if (!pieces) for (const id of ids) yield { id, offset: 0, length: undefined };
  else
    for (let at = 0; at < pieces.length; at += 3)
      yield { id: ids[pieces[at]], offset: pieces[at + 1], length: pieces[at + 2] };
}

/** Of a chunk that was compared with its id, or of the error that came in its place. */
function partOf(chunk, { offset, length }) {
  if (length === undefined) return chunk;
  if (chunk.error) return { error: chunk.error, length };
  if (offset + length > chunk.bytes.length) return { error: damaged('a piece lies outside of its chunk'), length };
  return { bytes: chunk.bytes.subarray(offset, offset + length) };
}

const staysBelow = (name) =>
  !name.split('/').some((part) => part === '' || part === '.' || part === '..' || part.includes('\0'));

export function parseEntry(line) {
  const entry = parseJson(line, 'a line of the tree');
  need(isText(entry.path) && entry.path !== '', 'a line of the tree has no path');
  const what = `the entry ${quoted(entry.path)}`;
  need(staysBelow(entry.path), `${what} has a path that leads elsewhere`);
  need(isCount(entry.mode) && Number.isFinite(entry.mtimeSeconds), `${what} has no mode or time`);
  const nanos = entry.mtimeNanos ?? 0;
  need(isCount(nanos) && nanos < 1e9, `${what} has no fraction of a second that is one`);
  if (entry.type === 'file') {
    need(isCount(entry.sizeBytes), `${what} has no size`);
    need(entry.sha256 === undefined || isHex(entry.sha256, 32), `${what} has a SHA-256 that is none`);
    need(Array.isArray(entry.chunks) && entry.chunks.every((id) => isHex(id, 32)), `${what} names no chunks`);
    need(entry.pieces === undefined || arePieces(entry), `${what} is made of pieces that are none`);
  } else if (entry.type === 'symlink' || entry.type === 'hardlink') {
    need(
      isText(entry.linkTarget) && entry.linkTarget !== '' && !entry.linkTarget.includes('\0'),
      `${what} leads nowhere`,
    );
    need(entry.type === 'symlink' || staysBelow(entry.linkTarget), `${what} is a name of a file elsewhere`);
  } else if (entry.type === 'device') {
    const { kind, major, minor } = entry.device ?? {};
    need(['character', 'block'].includes(kind) && isCount(major) && isCount(minor), `${what} is no device`);
  } else {
    need(['directory', 'fifo'].includes(entry.type), `${what} is of the unknown type ${quoted(entry.type)}`);
  }
  need(entry.uid === undefined || (isCount(entry.uid) && isCount(entry.gid)), `${what} has owners that are none`);
  need(entry.xattrs === undefined || areTexts(entry.xattrs), `${what} has attributes that are none`);
  return entry;
}

function areTexts(value) {
  return typeof value === 'object' && value !== null && Object.values(value).every(isText);
}

/** A lone surrogate from U+DC80 to U+DCFF is a byte that was no UTF-8; the second half of a pair is none. */
const loneByte = /(?<![\ud800-\udbff])[\udc80-\udcff]/;

/** What the file system calls it: its text where that is all, else its bytes. */
function onDisk(text) {
  if (!loneByte.test(text)) return text;
  const parts = text.split(/(?<![\ud800-\udbff])([\udc80-\udcff])/);
  return Buffer.concat(
    parts.map((part, at) => (at % 2 === 1 ? Buffer.of(part.charCodeAt(0) - 0xdc00) : Buffer.from(part))),
  );
}

/** Entries of the tree, or the Trouble of a line. Throws when the tree itself cannot be read any further. */
async function* readTree(source, { id, tree, treeBytes, treeSha256 }) {
  const hash = createHash('sha256');
  let length = 0;
  let rest = [];
  let restBytes = 0;
  for await (const { bytes, error } of source.chunks(tree.map((chunk) => Buffer.from(chunk, 'hex')))) {
    if (error)
      throw new Trouble(error.kind, `the tree of ${id} cannot be read after ${length} bytes: ${error.message}`);
    hash.update(bytes);
    length += bytes.length;
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      const line = Buffer.concat([...rest, bytes.subarray(from, end)]);
      [rest, restBytes, from] = [[], 0, end + 1];
      if (line.length > 0) yield entryOrTrouble(line);
    }
    if (from < bytes.length) {
      rest.push(Buffer.from(bytes.subarray(from)));
      restBytes += bytes.length - from;
    }
    need(restBytes <= largestLineBytes, `the tree of ${id} has a line of more than 256 MiB`);
  }
  need(restBytes === 0, `the tree of ${id} ends in the middle of a line`);
  need(length === treeBytes && hash.digest('hex') === treeSha256, `the tree of ${id} is not what was captured`);
}

/** To the microsecond: what a number of this language carries. As text, because Node takes a number below zero for the present. */
const timeOf = ({ mtimeSeconds, mtimeNanos = 0 }) => String(mtimeSeconds + mtimeNanos / 1e9);

function entryOrTrouble(line) {
  try {
    return parseEntry(line);
  } catch (error) {
    if (error instanceof Trouble) return error;
    throw error;
  }
}

// ── Writing files, never outside the target ──────────────────────────────────────────────────────────────────────────

/** Makes the directory, or takes an empty one. */
function emptyTarget(target) {
  try {
    fs.mkdirSync(target, { recursive: true, mode: 0o700 });
    if (fs.readdirSync(target).length > 0) throw new Trouble('refused', `${quoted(target)} is not empty`);
    return fs.realpathSync(target);
  } catch (error) {
    if (error instanceof Trouble) throw error;
    throw new Trouble('refused', `${quoted(target)} cannot be used (${error.code})`);
  }
}

function requireEmptyOrAbsent(target) {
  let names;
  try {
    names = fs.readdirSync(target);
  } catch (error) {
    if (error.code === 'ENOENT') return;
    throw new Trouble('refused', `${quoted(target)} cannot be used (${error.code})`);
  }
  if (names.length > 0) throw new Trouble('refused', `${quoted(target)} is not empty`);
}

/**
 * Links come last and nothing is ever written through one: every directory on the way is made here, or proven to be a directory. Files are
 * only made new. Directories get mode and time at the very end.
 */
class Tree {
  constructor(root) {
    this.root = root;
    this.known = new Set([root]);
    this.directories = [];
    this.links = [];
    this.hardLinks = [];
    this.nodes = [];
    this.attributes = [];
    this.notes = [];
  }

  /** Where an entry goes; the directories above it are there afterwards. */
  place(relative) {
    const parts = relative.split('/');
    const name = parts.pop();
    return path.join(this.directory(parts), name);
  }

  directory(parts) {
    let at = this.root;
    for (const part of parts) {
      at = path.join(at, part);
      if (this.known.has(at)) continue;
      try {
        fs.mkdirSync(onDisk(at), { mode: 0o700 });
      } catch (error) {
        if (error.code !== 'EEXIST' || !fs.lstatSync(onDisk(at)).isDirectory()) throw this.#failure(error, at);
      }
      this.known.add(at);
    }
    return at;
  }

  addDirectory(relative, entry) {
    this.directories.push({ at: this.directory(relative.split('/')), entry });
  }

  addLink(relative, linkTarget, entry) {
    this.links.push({ relative, linkTarget, entry });
  }

  addHardLink(relative, target) {
    this.hardLinks.push({ relative, target });
  }

  addNode(relative, entry) {
    this.nodes.push({ relative, entry });
  }

  /** Owners by their numbers, where this user may give them; attributes at the end, all at once. */
  own(at, { uid, gid, xattrs }) {
    if (uid !== undefined && process.geteuid() === 0) fs.lchownSync(onDisk(at), uid, gid);
    if (xattrs !== undefined) this.attributes.push({ at, xattrs });
  }

  create(at) {
    try {
      return fs.openSync(onDisk(at), 'wx', 0o600);
    } catch (error) {
      throw this.#failure(error, at);
    }
  }

  /** Links and nodes, then attributes, then modes and times of directories, deepest first. Answers what could not be made. */
  finish() {
    const troubles = [];
    const attempt = (at, work) => {
      try {
        work();
      } catch (error) {
        troubles.push(error instanceof Trouble ? error : this.#failure(error, at));
      }
    };
    const within = (relative) => path.join(this.root, relative);
    for (const { relative, entry } of this.nodes) attempt(within(relative), () => this.#makeNode(relative, entry));
    for (const { relative, linkTarget, entry } of this.links) {
      attempt(within(relative), () => {
        const at = this.place(relative);
        fs.symlinkSync(onDisk(linkTarget), onDisk(at));
        if (entry?.uid === undefined) return;
        this.own(at, entry);
        fs.lutimesSync(onDisk(at), timeOf(entry), timeOf(entry));
      });
    }
    for (const { relative, target } of this.hardLinks)
      attempt(within(relative), () => fs.linkSync(onDisk(this.place(target)), onDisk(this.place(relative))));
    for (const { at, entry } of this.directories) attempt(at, () => this.own(at, entry));
    this.#giveAttributes();
    for (const { at, entry } of this.directories.reverse()) {
      attempt(at, () => {
        fs.chmodSync(onDisk(at), entry.mode & 0o7777);
        fs.utimesSync(onDisk(at), timeOf(entry), timeOf(entry));
      });
    }
    return troubles;
  }

  /** Node has no call for it. */
  #makeNode(relative, entry) {
    const at = this.place(relative);
    const { kind, major, minor } = entry.device ?? {};
    const words = entry.type === 'fifo' ? ['p'] : [kind === 'block' ? 'b' : 'c', String(major), String(minor)];
    const args = ['-m', (entry.mode & 0o777).toString(8), '--', at, ...words];
    const isText = typeof onDisk(at) === 'string';
    if (!isText || spawnSync('mknod', args, { stdio: 'ignore' }).status !== 0) {
      this.notes.push(`${quoted(relative)} was not made; as root: mknod ${args.map(quoted).join(' ')}`);
      return;
    }
    this.own(at, entry);
    fs.utimesSync(at, timeOf(entry), timeOf(entry));
  }

  /** By setfattr(1), which takes a list like the one that getfattr prints. Changing them changes no time but ctime. */
  #giveAttributes() {
    if (this.attributes.length === 0) return;
    const lines = this.attributes.map(({ at, xattrs }) => {
      const values = Object.entries(xattrs).map(
        ([name, value]) => `${escaped(Buffer.from(name, 'latin1'))}=0s${value}\n`,
      );
      return `# file: ${escaped(Buffer.from(onDisk(at)))}\n${values.join('')}\n`;
    });
    const options = ['--no-dereference', '--restore=-'];
    const { status, stderr } = spawnSync('setfattr', options, { input: lines.join(''), maxBuffer: 64 * 1024 * 1024 });
    if (status === 0) return;
    const why = stderr?.toString().trim().split('\n')[0] || 'there is no `setfattr` here (package attr)';
    this.notes.push(
      `${this.attributes.length} entries had extended attributes, access lists among them; not all were given back: ${why}`,
    );
  }

  #failure(error, at) {
    const what = quoted(path.relative(this.root, at));
    if (['ENOSPC', 'EDQUOT', 'EIO', 'EROFS'].includes(error.code))
      return new Trouble('failed', `${what} cannot be written (${error.code})`);
    if (['EEXIST', 'ENOTDIR'].includes(error.code)) return damaged(`the entry ${what} is in the place of another one`);
    return new Trouble('unreadable', `${what} cannot be written (${error.code ?? error.message})`);
  }
}

/** As getfattr(1) writes names: what could be taken for something else is octal. */
function escaped(bytes) {
  let text = '';
  for (const byte of bytes) {
    const isPlain = byte > 0x20 && byte < 0x7f && byte !== 0x5c && byte !== 0x3d;
    text += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return text;
}

/** One file that is being written: good chunks where they belong, gaps as zeros under the name `….damaged`. */
class FileWriter {
  constructor(tree, relative, entry) {
    this.entry = entry;
    this.tree = tree;
    this.at = tree.place(relative);
    this.descriptor = tree.create(this.at);
    this.hash = entry.sha256 === undefined ? undefined : createHash('sha256');
    this.length = 0;
    this.gaps = [];
  }

  piece({ bytes, error, length }) {
    if (error) {
      this.gaps.push(
        `${error.message} (bytes ${this.length} to ${length === undefined ? 'an unknown end' : this.length + length})`,
      );
      this.length += length ?? 0;
      return;
    }
    const isHole = this.entry.holes === true && bytes.every((byte) => byte === 0);
    for (let at = 0; at < bytes.length && !isHole; )
      at += fs.writeSync(this.descriptor, bytes, at, bytes.length - at, this.length + at);
    this.hash?.update(bytes);
    this.length += bytes.length;
  }

  /** The Trouble of the file, if there is any. */
  end() {
    const { entry, descriptor, gaps } = this;
    const isRight = gaps.length === 0 && this.length === entry.sizeBytes && this.hash?.digest('hex') === entry.sha256;
    fs.ftruncateSync(descriptor, isRight ? entry.sizeBytes : Math.max(this.length, 0));
    this.tree.own(this.at, entry);
    fs.fchmodSync(descriptor, entry.mode & 0o7777);
    fs.futimesSync(descriptor, timeOf(entry), timeOf(entry));
    fs.closeSync(descriptor);
    if (isRight) return undefined;
    const aside = asideName(this.at);
    fs.renameSync(onDisk(this.at), onDisk(aside));
    const why = gaps.length > 0 ? gaps.slice(0, 20).join('; ') : 'it is not what was captured';
    return damaged(`${quoted(entry.path)}: ${why}; what is left of it is in ${quoted(path.basename(aside))}`);
  }

  abandon() {
    fs.closeSync(this.descriptor);
  }
}

function asideName(file) {
  for (let n = 0; ; n++) {
    const name = `${file}.damaged${n === 0 ? '' : `-${n}`}`;
    if (!fs.existsSync(onDisk(name))) return name;
  }
}

// ── Restoring a snapshot ─────────────────────────────────────────────────────────────────────────────────────────────

/** Entries that are opened together, so that their frames are. */
const batchEntries = 4096;
const batchChunks = 16_384;
const lastFiles = ['PG_VERSION', 'global/pg_control'];

class Restore {
  constructor(vault, manifest, source, target, say) {
    Object.assign(this, { vault, manifest, source, say });
    this.tree = new Tree(target);
    this.isCluster = manifest.kind === 'physical';
    this.tablespaces = new Set();
    this.batch = [];
    this.batchedChunks = 0;
    this.last = [];
    this.files = 0;
    this.bytes = 0;
    this.withoutHash = 0;
    this.troubles = 0;
  }

  tell(error) {
    this.troubles++;
    this.say(`damaged: ${error.message}`);
  }

  async run() {
    for (const { weight, error } of this.source.troubles) {
      if (weight === 'note') this.say(`note: ${error.message}; the packs' own indexes are used`);
      else this.tell(error);
    }
    this.#prepareTablespaces();
    try {
      for await (const entry of readTree(this.source, this.manifest)) await this.#take(entry);
    } catch (error) {
      if (!(error instanceof Trouble) || error.kind === 'failed') throw error;
      this.tell(error);
    }
    await this.#flush();
    await this.#finishCluster();
    for (const error of this.tree.finish()) this.tell(error);
    for (const note of this.tree.notes) this.say(`note: ${note}`);
    if (this.isCluster) fs.chmodSync(this.tree.root, 0o700); // a server refuses a directory that others may enter
    return { files: this.files, bytes: this.bytes, withoutHash: this.withoutHash, troubles: this.troubles };
  }

  async #take(entry) {
    if (entry instanceof Trouble) return this.tell(entry);
    await this.#guarded(async () => {
      const relative = this.#relative(entry);
      if (relative === undefined) return;
      if (entry.type === 'directory') return this.tree.addDirectory(relative, entry);
      if (entry.type === 'symlink') return this.tree.addLink(relative, entry.linkTarget, entry);
      if (entry.type === 'hardlink') return this.tree.addHardLink(relative, entry.linkTarget);
      if (entry.type !== 'file') return this.tree.addNode(relative, entry);
      if (this.isCluster && lastFiles.includes(entry.path)) return void this.last.push({ entry, relative });
      this.batch.push({ entry, relative });
      this.batchedChunks += entry.pieces ? entry.pieces.length / 3 : entry.chunks.length;
      if (this.batch.length >= batchEntries || this.batchedChunks >= batchChunks) await this.#flush();
    });
  }

  async #guarded(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Trouble) || error.kind === 'failed') throw error;
      this.tell(error);
    }
  }

  /** A cluster's tablespaces go into the target; a linked pg_wal becomes a directory; nothing else in it is a link. */
  #relative({ path: name, type }) {
    if (!this.isCluster) return name;
    const parts = name.split('/');
    if (name === 'tablespace_map') return undefined;
    if (parts[0] === 'pg_tblspc' && this.tablespaces.has(parts[1])) {
      return parts.length === 2 ? undefined : ['tablespaces', ...parts.slice(1)].join('/');
    }
    if (type !== 'symlink') return name;
    if (name === 'pg_wal') return undefined;
    throw damaged(`the entry ${quoted(name)} is a link, and a cluster has none there`);
  }

  #prepareTablespaces() {
    const { tablespaces } = this.manifest.engine;
    for (const space of this.isCluster && Array.isArray(tablespaces) ? tablespaces : []) {
      const oid = String(space?.oid);
      if (!/^\d{1,10}$/.test(oid)) continue;
      this.tablespaces.add(oid);
      const place = this.tree.directory(['tablespaces', oid]);
      this.tree.addLink(`pg_tblspc/${oid}`, place);
    }
  }

  async #flush() {
    const { batch } = this;
    [this.batch, this.batchedChunks] = [[], 0];
    const files = batch.map(({ entry, relative }) => ({ entry, relative, slices: [...slicesOf(entry)] }));
    const ids = files.flatMap(({ slices }) => slices.map(({ id }) => id));
    const chunks = this.source.chunks(ids);
    for (const { entry, relative, slices } of files) {
      let writer;
      const open = () => {
        writer = new FileWriter(this.tree, relative, entry);
      };
      await this.#guarded(open);
      for (const slice of slices) {
        const { value } = await chunks.next();
        if (writer) this.#write(() => writer.piece(partOf(value, slice)), entry, writer);
      }
      if (!writer) continue;
      const trouble = this.#write(() => writer.end(), entry, writer);
      if (trouble) this.tell(trouble);
      this.files++;
      this.bytes += entry.sizeBytes;
      if (entry.sha256 === undefined) this.withoutHash++;
    }
  }

  /** A disk that takes no more ends everything. */
  #write(work, entry, writer) {
    try {
      return work();
    } catch (error) {
      if (typeof error.code !== 'string') throw error;
      try {
        writer.abandon();
      } catch {}
      throw new Trouble('failed', `${quoted(entry.path)} cannot be written (${error.code})`);
    }
  }

  /** Without its control file no server starts: it comes last, and not at all when something is missing. */
  async #finishCluster() {
    if (!this.isCluster) return;
    this.tree.directory(['pg_wal']);
    for (const name of lastFiles) {
      if (!this.last.some(({ entry }) => entry.path === name)) this.tell(damaged(`the cluster has no ${quoted(name)}`));
    }
    const held = this.troubles > 0;
    this.batch = this.last.map(({ entry, relative }) => ({
      entry,
      relative: held && relative !== 'PG_VERSION' ? `${relative}.held` : relative,
    }));
    await this.#flush();
    if (held)
      this.say(
        "note: something is damaged, so 'global/pg_control' is named 'global/pg_control.held'; rename it to start what is there in spite of that",
      );
  }
}

/** Nobody ever read a file that was laid over an earlier one as a whole: it has no SHA-256. */
const rightText = ({ withoutHash }) =>
  withoutHash === 0
    ? 'every file has the SHA-256 that was captured'
    : `every file has the SHA-256 that was captured, or (${withoutHash} laid over earlier ones) its length and the chunks it is made of`;

async function findSnapshot(vault, wanted) {
  const keys = componentsOf(vault.folder).flatMap((component) => manifestKeys(vault.folder, component));
  const found = keys.filter((key) => key === wanted || key.endsWith(`.${wanted}`));
  if (found.length === 0)
    throw new Trouble('refused', `there is no snapshot ${quoted(wanted)} here`, "'list' shows those that there are");
  if (found.length > 1)
    throw new Trouble('refused', `${quoted(wanted)} is there ${found.length} times; name one of ${found.join(', ')}`);
  return readManifest(vault, found[0]);
}

// ── Log (section 8) ──────────────────────────────────────────────────────────────────────────────────────────────────

export function lsnValue(text) {
  const match = typeof text === 'string' ? /^([0-9A-Fa-f]{1,8})\/([0-9A-Fa-f]{1,8})$/.exec(text) : undefined;
  return match ? (BigInt(`0x${match[1]}`) << 32n) | BigInt(`0x${match[2]}`) : undefined;
}

const hexadecimal = (value, digits) => value.toString(16).toUpperCase().padStart(digits, '0');
const lsnText = (value) =>
  `${(value >> 32n).toString(16).toUpperCase()}/${(value & 0xffffffffn).toString(16).toUpperCase()}`;
const perHigh = (size) => 0x1_0000_0000n / BigInt(size);
const segmentName = (timeline, number, size) =>
  hexadecimal(timeline, 8) + hexadecimal(number / perHigh(size), 8) + hexadecimal(number % perHigh(size), 8);
const segmentStart = (name, size) =>
  (BigInt(`0x${name.slice(8, 16)}`) * perHigh(size) + BigInt(`0x${name.slice(16)}`)) * BigInt(size);

export function parseLogHeader(key, header) {
  const what = `log ${quoted(key)}`;
  const size = header.segmentSizeBytes;
  need(
    Number.isInteger(size) && size >= 2 ** 20 && size <= 2 ** 30 && Number.isInteger(Math.log2(size)),
    `${what} has no segment size`,
  );
  const [from, to] = [lsnValue(header.fromLsn), lsnValue(header.toLsn)];
  need(from !== undefined && to !== undefined && from < to, `${what} has no stretch`);
  const [, timeline, segment, first, last] =
    /\/([0-9A-F]{8})\/([0-9A-F]{24})(?:\.([0-9A-F]{16})-([0-9A-F]{16}))?$/.exec(key) ?? [];
  need(segment?.startsWith(timeline), `${quoted(key)} is not the name of log`);
  const start = segmentStart(segment, size);
  need(header.timeline === Number.parseInt(timeline, 16), `${what} is of another timeline`);
  need(from >= start && to <= start + BigInt(size), `${what} is of another segment`);
  need(
    first === undefined ? from === start : BigInt(`0x${first}`) === from && BigInt(`0x${last}`) === to,
    `${what} holds another stretch than its name says`,
  );
  need(isHex(header.sha256, 32), `${what} has no SHA-256`);
  return { size, from, to, start, timeline: header.timeline, header };
}

/** Where each earlier timeline was left, oldest first (PostgreSQL's own file format). */
export function parseHistory(text) {
  const forks = [];
  for (const line of text.split('\n')) {
    if (/^\s*(#|$)/.test(line)) continue;
    const [, timeline, lsn] = /^\s*(\d{1,10})\s+(\S+)/.exec(line) ?? [];
    const at = lsnValue(lsn);
    need(at !== undefined, 'a timeline history has a line that is none');
    forks.push({ timeline: Number(timeline), at });
  }
  return forks;
}

class Log {
  constructor(vault, component, systemId) {
    Object.assign(this, { vault, component, systemId });
    this.baseKey = fromVaultKey(vault, `log/${component}/${systemId}`);
    this.location = `${component}/log/${systemId}`;
    this.timelines = new Map();
    this.troubles = [];
    for (const directory of vault.folder.names(this.location)) {
      if (/^[0-9A-F]{8}$/.test(directory))
        this.#listTimeline(Number.parseInt(directory, 16), `${this.location}/${directory}`);
    }
  }

  #listTimeline(timeline, location) {
    const entry = { timeline, segments: new Map(), hasHistory: false, mark: undefined, forks: [] };
    for (const name of this.vault.folder.names(location)) {
      const [, segment, extent] = /^([0-9A-F]{24})(\.[0-9A-F]{16}-[0-9A-F]{16})?$/.exec(name) ?? [];
      const mark = /^mark\.(\d{20})-([0-9A-F]{16})$/.exec(name);
      if (name === 'history') entry.hasHistory = true;
      else if (mark) entry.mark = { time: timeOfMicros(BigInt(mark[1])), lsn: BigInt(`0x${mark[2]}`) };
      else if (segment) {
        const parts = entry.segments.get(segment) ?? { closed: undefined, extents: [] };
        if (extent) parts.extents.push(`${location}/${name}`);
        else parts.closed = `${location}/${name}`;
        entry.segments.set(segment, parts);
      }
    }
    this.timelines.set(timeline, entry);
  }

  /** Reads the history files; a timeline whose history cannot be read is one that nothing leads to. */
  async readHistories() {
    this.histories = new Map();
    for (const entry of this.timelines.values()) {
      if (!entry.hasHistory) continue;
      const key = `${this.location}/${hexadecimal(entry.timeline, 8)}/history`;
      await this.#attempt(async () => {
        const { header, body } = await unseal(this.vault, types.history, this.baseKey, key);
        need(header.timeline === entry.timeline, `${quoted(key)} is of another timeline`);
        entry.forks = parseHistory(body.toString('utf8'));
        this.histories.set(entry.timeline, body);
      });
    }
    return this;
  }

  async #attempt(work) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Trouble)) throw error;
      this.troubles.push(error);
      return undefined;
    }
  }

  async segmentSize() {
    for (const { segments } of this.timelines.values()) {
      for (const { closed, extents } of segments.values()) {
        for (const key of [closed, ...extents]) {
          if (key === undefined) continue;
          const type = key === closed ? types.segment : types.extent;
          const size = await this.#attempt(async () => {
            const { header } = await unseal(this.vault, type, this.baseKey, key, { headerOnly: true });
            return parseLogHeader(key, header).size;
          });
          if (size !== undefined) return size;
        }
      }
    }
    return undefined;
  }

  async open(key, type) {
    const { header, body } = await unseal(this.vault, type, this.baseKey, key);
    const parsed = parseLogHeader(key, header);
    need(BigInt(body.length) === parsed.to - parsed.from, `log ${quoted(key)} has another length than it says`);
    need(sha256(body).toString('hex') === header.sha256, `log ${quoted(key)} is not what was received`);
    return { ...parsed, body };
  }

  /**
   * One segment as a file: `bytes` has the segment's full size, zeros where nothing is known; `from` to `to` is the first stretch that is
   * there without a gap, counted in the segment. `undefined` when there is nothing of it.
   */
  async assemble(timeline, name, size) {
    const parts = this.timelines.get(timeline)?.segments.get(name);
    const start = segmentStart(name, size);
    const pieces = [];
    let facts;
    for (const key of parts ? [parts.closed, ...parts.extents] : []) {
      if (key === undefined || (pieces.length > 0 && pieces[0].to - pieces[0].from === BigInt(size))) continue;
      const piece = await this.#attempt(() => this.open(key, key === parts.closed ? types.segment : types.extent));
      if (piece && piece.size !== size)
        this.troubles.push(damaged(`log ${quoted(key)} has another segment size than the rest`));
      else if (piece) pieces.push(piece);
    }
    const inherited = await this.#inherited(timeline, name, size, pieces);
    if (inherited) pieces.push(inherited);
    if (pieces.length === 0) return undefined;
    pieces.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
    const bytes = Buffer.alloc(size);
    const from = Number(pieces[0].from - start);
    let to = from;
    for (const piece of pieces) {
      const [first, last] = [Number(piece.from - start), Number(piece.to - start)];
      if (first > to) break;
      const isSame = bytes
        .subarray(first, Math.min(to, last))
        .equals(piece.body.subarray(0, Math.max(0, Math.min(to, last) - first)));
      need(isSame, `log ${name} holds different bytes in two objects`);
      piece.body.copy(bytes, first);
      if (last > to) to = last;
      if (piece.header) facts = later(facts, piece.header);
    }
    return { bytes, from, to, facts };
  }

  /** A new timeline's first segment begins with what the old one had, up to where that was left (PostgreSQL copies it there too). */
  async #inherited(timeline, name, size, pieces) {
    const fork = this.timelines.get(timeline)?.forks.at(-1);
    const start = segmentStart(name, size);
    if (!fork || fork.at <= start || fork.at >= start + BigInt(size) || pieces.some((piece) => piece.from === start))
      return undefined;
    const parent = await this.assemble(fork.timeline, hexadecimal(fork.timeline, 8) + name.slice(8), size);
    const length = Number(fork.at - start);
    if (!parent || parent.from > 0 || parent.to < length) return undefined;
    return { from: start, to: fork.at, body: parent.bytes.subarray(0, length) };
  }

  /** The way to a timeline: `[{ timeline, until }]`, oldest first; `until` is where it is left, `undefined` on the last. */
  way(timeline) {
    const forks = this.timelines.get(timeline)?.forks ?? [];
    return [...forks.map(({ timeline: each, at }) => ({ timeline: each, until: at })), { timeline, until: undefined }];
  }
}

function later(facts, header) {
  if (typeof header.maxTime !== 'string') return facts;
  return facts === undefined || header.maxTime > facts ? header.maxTime : facts;
}

function timeOfMicros(micros) {
  const date = new Date(Number(micros / 1000n));
  if (Number.isNaN(date.getTime())) return '?';
  return `${date.toISOString().slice(0, 20)}${String(micros % 1_000_000n).padStart(6, '0')}Z`;
}

/** Stretches without a gap, by the names alone. */
function stretches({ segments }, size) {
  const pieces = [];
  for (const [name, { closed, extents }] of segments) {
    const start = segmentStart(name, size);
    if (closed) pieces.push([start, start + BigInt(size)]);
    for (const key of extents) {
      const [from, to] = key.slice(key.lastIndexOf('.') + 1).split('-');
      pieces.push([BigInt(`0x${from}`), BigInt(`0x${to}`)]);
    }
  }
  pieces.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const found = [];
  for (const [from, to] of pieces) {
    const last = found.at(-1);
    if (!last || from > last[1]) found.push([from, to]);
    else if (to > last[1]) last[1] = to;
  }
  return found;
}

/** The timelines that can be reached from a snapshot: those whose way leads through the snapshot's end. */
function reachable(log, timeline, stop) {
  const isOnWay = (each) =>
    log.way(each).some((step) => step.timeline === timeline && (step.until === undefined || step.until >= stop));
  return [...log.timelines.keys()].filter((each) => isOnWay(each));
}

function chooseTimeline(log, snapshot, wanted) {
  const found = reachable(log, snapshot.timeline, snapshot.stop);
  if (wanted !== undefined) {
    if (found.includes(wanted) || wanted === snapshot.timeline) return wanted;
    throw new Trouble(
      'refused',
      `no log leads from this snapshot to timeline ${wanted}; there are ${found.join(', ') || 'none'}`,
    );
  }
  const isParent = (each) =>
    found.some(
      (other) => other !== each && log.way(other).some((step) => step.timeline === each && step.until !== undefined),
    );
  const ends = found.filter((each) => !isParent(each));
  if (ends.length > 1) {
    throw new Trouble(
      'refused',
      `the log goes on in ${ends.length} ways, on timelines ${ends.join(', ')}`,
      "choose with '--timeline'; 'list' shows how far each goes",
    );
  }
  return ends[0] ?? snapshot.timeline;
}

/** Writes the segments from a position to the end of a timeline, as far as nothing is missing. */
async function writeLog(log, wal, { start, timeline, size, from }) {
  const way = log.way(timeline);
  const first = way.findIndex((step) => step.timeline === from);
  let position = start;
  const written = { files: 0, end: start, maxTime: undefined, isWhole: true };
  for (const step of way.slice(Math.max(0, first))) {
    for (;;) {
      if (step.until !== undefined && position >= step.until) break;
      const name = segmentName(step.timeline, position / BigInt(size), size);
      const got = await log.assemble(step.timeline, name, size);
      const inSegment = Number(position % BigInt(size));
      if (!got || got.from > 0 || got.to <= inSegment) {
        written.isWhole = step.until === undefined && !goesOn(log, step.timeline, position, size);
        return written;
      }
      fs.writeFileSync(path.join(wal, name), got.bytes, { flag: 'wx', mode: 0o600 });
      written.files++;
      const end = position - BigInt(inSegment) + BigInt(got.to);
      position = step.until !== undefined && end > step.until ? step.until : end;
      written.end = position;
      if (got.facts && (step.until === undefined || end <= step.until))
        written.maxTime = later(written.maxTime, { maxTime: got.facts });
      if (got.to < size && position !== step.until) {
        written.isWhole = step.until === undefined && !goesOn(log, step.timeline, position, size);
        return written;
      }
    }
  }
  return written;
}

function goesOn(log, timeline, position, size) {
  const entry = log.timelines.get(timeline);
  return entry !== undefined && stretches(entry, size).some(([, to]) => to > position);
}

function writeHistories(log, wal) {
  for (const [timeline, bytes] of log.histories) {
    fs.writeFileSync(path.join(wal, `${hexadecimal(timeline, 8)}.history`), bytes, { flag: 'wx', mode: 0o600 });
  }
}

// ── Recovery by hand with PostgreSQL ─────────────────────────────────────────────────────────────────────────────────

const isoTime = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:?\d\d)$/;

function targetFrom(options) {
  const given = ['target-time', 'target-lsn', 'target-xid', 'target-name'].filter(
    (name) => options[name] !== undefined,
  );
  if (given.length > 1)
    throw new Trouble('usage', `only one of ${given.map((name) => `'--${name}'`).join(', ')} can be the target`);
  const [option] = given;
  if (option === undefined) return undefined;
  const value = options[option];
  const patterns = {
    'target-time': isoTime,
    'target-lsn': /^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/,
    'target-xid': /^\d{1,20}$/,
    'target-name': /^[\x20-\x7e]{1,63}$/,
  };
  const expected = {
    'target-time': 'a time with its zone, such as 2026-11-23T06:14:07Z',
    'target-lsn': 'a log position such as 0/16B3748',
    'target-xid': 'the number of a transaction',
    'target-name': 'the name of a restore point',
  };
  if (!patterns[option].test(value) || (option === 'target-time' && Number.isNaN(Date.parse(value)))) {
    throw new Trouble('usage', `'--${option}' is ${quoted(value)}; expected ${expected[option]}`);
  }
  return { kind: option.slice('target-'.length), value };
}

/** Microseconds since 1970 of a time with a zone. */
function micros(time) {
  const [, seconds, fraction = ''] = /^(.{19})(?:\.(\d{1,6}))?/.exec(time);
  const zone = /(Z|[+-]\d\d:?\d\d)$/.exec(time)[1];
  return BigInt(Date.parse(`${seconds}${zone}`)) * 1000n + BigInt(fraction.padEnd(6, '0'));
}

export function clusterOf({ id, engine, to }) {
  const [start, stop] = [lsnValue(engine.startLsn), lsnValue(engine.stopLsn)];
  const isGood =
    start !== undefined &&
    stop !== undefined &&
    start <= stop &&
    Number.isInteger(engine.timeline) &&
    engine.timeline > 0 &&
    typeof engine.systemId === 'string' &&
    /^\d{1,20}$/.test(engine.systemId);
  need(isGood, `snapshot ${id} does not say which cluster it is of`);
  const settings = isObject(engine.recoverySettings) ? engine.recoverySettings : {};
  return {
    start,
    stop,
    timeline: engine.timeline,
    systemId: engine.systemId,
    major: Number(engine.major),
    settings,
    to,
  };
}

const settingQuoted = (text) => `'${String(text).replaceAll("'", "''").replaceAll('\\', '\\\\')}'`;
const shellQuoted = (text) => (/^[A-Za-z0-9_./:@=,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);
const floors = {
  max_connections: 20,
  max_worker_processes: 8,
  max_wal_senders: 10,
  max_prepared_transactions: 0,
  max_locks_per_transaction: 64,
};
const asideFiles = [
  'postgresql.conf',
  'postgresql.auto.conf',
  'pg_hba.conf',
  'pg_ident.conf',
  'standby.signal',
  'recovery.signal',
  'recovery.conf',
  'postmaster.pid',
  'postmaster.opts',
];

/** In UTC with a numeric zone: when a server reads its settings it does not know zones by name yet, not even `Z`. */
const settingTime = (time) => timeOfMicros(micros(time)).replace('T', ' ').replace('Z', '+00');

function recoverySettings(cluster, wal, { timeline, target, exclusive }) {
  const settings = {
    listen_addresses: '',
    port: 5432,
    unix_socket_directories: '.',
    unix_socket_permissions: '0700',
    ssl: 'off',
    archive_mode: 'off',
    archive_command: '',
    archive_cleanup_command: '',
    recovery_end_command: '',
    primary_conninfo: '',
    primary_slot_name: '',
    synchronous_standby_names: '',
    max_logical_replication_workers: 0,
    ...(cluster.major >= 17 ? { sync_replication_slots: 'off' } : {}),
    shared_preload_libraries: '',
    session_preload_libraries: '',
    local_preload_libraries: '',
    wal_level: 'replica',
    hot_standby: 'on',
  };
  for (const [name, floor] of Object.entries(floors)) {
    const source = cluster.settings[name];
    settings[name] = Number.isSafeInteger(source) && source > floor ? source : floor;
  }
  settings.restore_command = `cp ${`'${wal.replaceAll("'", `'\\''`).replaceAll('%', '%%')}'`}/"%f" "%p"`;
  settings.recovery_target_timeline = String(timeline);
  if (target) {
    settings[`recovery_target_${target.kind}`] = target.kind === 'time' ? settingTime(target.value) : target.value;
    settings.recovery_target_inclusive = exclusive ? 'off' : 'on';
    settings.recovery_target_action = 'pause';
  }
  return Object.entries(settings).map(
    ([name, value]) => `${name} = ${typeof value === 'number' ? value : settingQuoted(value)}`,
  );
}

function writeRecovery(directory, lines) {
  for (const name of asideFiles) {
    const file = path.join(directory, name);
    if (fs.existsSync(file)) fs.renameSync(file, `${file}.source`);
  }
  const made = {
    'postgresql.conf':
      '# Made by rescue.mjs: the settings are in postgresql.auto.conf; those of the source have the ending .source.\n',
    'postgresql.auto.conf': `# Made by rescue.mjs: a server that listens on a socket in its own directory only, archives nothing and follows nobody.\n${lines.join('\n')}\n`,
    'pg_hba.conf': 'local all all trust\n',
    'pg_ident.conf': '',
    'recovery.signal': '',
  };
  for (const [name, text] of Object.entries(made))
    fs.writeFileSync(path.join(directory, name), text, { flag: 'wx', mode: 0o600 });
}

function nextCommands(directory, wal, cluster, target) {
  const bin = `/usr/lib/postgresql/${cluster.major}/bin`;
  const client = `sudo -u postgres psql -h ${shellQuoted(directory)} -p 5432 -U postgres`;
  return [
    `next, with PostgreSQL ${cluster.major} (here taken to be in ${bin}) and the user who runs it (here postgres):`,
    `  chown -R postgres: ${shellQuoted(directory)} ${shellQuoted(wal)}`,
    `  sudo -u postgres ${bin}/pg_ctl -D ${shellQuoted(directory)} -l ${shellQuoted(`${directory}/recovery.log`)} -t 86400 start`,
    ...(target
      ? [
          `  ${client} -c 'select pg_get_wal_replay_pause_state(), pg_last_wal_replay_lsn(), pg_last_xact_replay_timestamp()'`,
          `  look at the data; then, if it is the right moment:  ${client} -c 'select pg_wal_replay_resume()'`,
        ]
      : [`  ${client} -c 'select pg_is_in_recovery()'      # f: the end of the log was reached`]),
    'before it goes into production: stop it, bring back postgresql.conf.source, pg_hba.conf.source, pg_ident.conf.source and',
    "  postgresql.auto.conf.source (without '.source'; the postgresql.auto.conf made here goes), and look at what they preload and archive",
  ];
}

// ── Commands ─────────────────────────────────────────────────────────────────────────────────────────────────────────

function sizeText(bytes) {
  if (!Number.isFinite(bytes)) return '?';
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  return `${power === 0 ? bytes : (bytes / 1024 ** power).toFixed(1)} ${units[power]}`;
}

function table(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

function wantedComponents(folder, [wanted]) {
  const found = componentsOf(folder);
  if (wanted === undefined) return found;
  if (!found.includes(wanted))
    throw new Trouble(
      'refused',
      `there is no component ${quoted(wanted)} here; there are ${found.join(', ') || 'none'}`,
    );
  return [wanted];
}

async function list(vault, args, _options, say) {
  let troubles = 0;
  const rows = [['component', 'snapshot', 'kind', 'from', 'to', 'state', 'size', 'number']];
  const tell = (error) => {
    troubles++;
    say(`${error.kind}: ${error.message}`);
  };
  const components = wantedComponents(vault.folder, args);
  let named = new Set();
  try {
    named = await namedForDeletion(vault);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    tell(error);
  }
  for (const component of components) {
    const numbers = new Set();
    for (const key of manifestKeys(vault.folder, component)) {
      try {
        const found = await readManifestHeader(vault, key);
        if (numbers.has(found.sequence))
          say(`note: number ${found.sequence} of ${component} is there twice: two copies were parted for a time`);
        numbers.add(found.sequence);
        if (named.has(key)) say(`note: ${found.id} of ${component} is named for deletion by a tombstone`);
        const { id, kind, from, to, state, statistics, engine, sequence } = found;
        rows.push([
          component,
          id,
          kind,
          from,
          to,
          state,
          sizeText(Number(engine.sizeBytes ?? statistics.readBytes)),
          String(sequence),
        ]);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        tell(error);
      }
    }
  }
  for (const line of table(rows)) say(line);
  for (const component of components) {
    for (const systemId of vault.folder.names(`${component}/log`)) {
      const log = await new Log(vault, component, systemId).readHistories();
      const size = await log.segmentSize();
      for (const entry of size === undefined ? [] : log.timelines.values())
        sayTimeline(entry, { component, systemId, size }, say);
      for (const error of log.troubles) tell(error);
    }
  }
  return troubles > 0 ? 4 : 0;
}

function sayTimeline(entry, { component, systemId, size }, say) {
  const fork = entry.forks.at(-1);
  const origin = fork ? `, left timeline ${fork.timeline} at ${lsnText(fork.at)}` : '';
  say(`log of ${component}, cluster ${systemId}, timeline ${entry.timeline}${origin}:`);
  for (const [from, to] of stretches(entry, size)) say(`  ${lsnText(from)} to ${lsnText(to)}`);
  if (entry.mark) say(`  newest mark: ${entry.mark.time} at ${lsnText(entry.mark.lsn)}`);
}

async function restore(vault, [wanted], options, say) {
  if (wanted === undefined || options.to === undefined)
    throw new Trouble('usage', "'restore' wants a snapshot and '--to'");
  const target = targetFrom(options);
  const forLog = ['wal', 'timeline', 'exclusive', 'target-time', 'target-lsn', 'target-xid', 'target-name'].find(
    (name) => options[name] !== undefined,
  );
  if (forLog && !options.log) throw new Trouble('usage', `'--${forLog}' needs '--log'`);
  const manifest = await findSnapshot(vault, wanted);
  const plan = options.log ? await planRecovery(vault, manifest, target, options) : undefined;
  requireEmptyOrAbsent(options.to);
  const wal = plan ? path.resolve(options.wal ?? path.join(path.dirname(path.resolve(options.to)), 'wal')) : undefined;
  if (wal) requireApart(wal, path.resolve(options.to));
  const directory = emptyTarget(options.to);
  say(
    `restoring ${manifest.id} of ${manifest.component} (${manifest.kind}, ${manifest.state}, ${manifest.from} to ${manifest.to}) to ${directory}`,
  );
  if (manifest.state !== 'clean')
    say('note: the source itself was damaged when this was captured; what is restored is what was captured');
  const source = await new ChunkSource(vault).open(manifest);
  const done = await new Restore(vault, manifest, source, directory, say).run();
  say(
    `${done.files} files, ${sizeText(done.bytes)}; ${done.troubles === 0 ? rightText(done) : `${done.troubles} things are damaged`}`,
  );
  if (!plan) {
    if (manifest.kind === 'physical')
      say("note: a server can only start on it with the log of the backup: restore with '--log'");
    if (done.troubles === 0) for (const line of redisCommands(manifest, directory)) say(line);
    return done.troubles > 0 ? 4 : 0;
  }
  const isWhole = await recoverable(plan, emptyTarget(wal), directory, target, options, say);
  return done.troubles > 0 || !isWhole ? 4 : 0;
}

// ── Redis and Valkey ─────────────────────────────────────────────────────────────────────────────────────────────────

/** How to look at what was restored with a server on loopback alone. Append-only files get the list by which a server finds them. */
function redisCommands({ kind, engine }, directory) {
  if (kind !== 'rdb' && kind !== 'aof') return [];
  const program = engine?.server?.flavour === 'valkey' ? 'valkey-server' : 'redis-server';
  const start = (...words) =>
    `  ${[program, '--bind', '127.0.0.1', '--port', '6390', '--dir', directory, ...words].map(shellQuoted).join(' ')}`;
  if (kind === 'rdb') return ['next, to look at it:', start('--appendonly', 'no', '--dbfilename', 'dump.rdb')];
  const sets = (Array.isArray(engine?.sets) ? engine.sets : []).flatMap((set) => listedSet(set, directory) ?? []);
  if (sets.length === 0) return [];
  return [
    'next, to look at it (the last line is the newest; each server goes on writing into its files):',
    ...sets.map(({ id, name }) => start('--appendonly', 'yes', '--appenddirname', id, '--appendfilename', name)),
  ];
}

/** Writes the list of a set's files into its directory; undefined where there is nothing of it. */
function listedSet(set, directory) {
  const { id, base, incrementals } = set ?? {};
  const files = [[base, 'b'], ...(Array.isArray(incrementals) ? incrementals : []).map((file) => [file, 'i'])];
  const isPlain = (name) => isText(name) && /^[^/"\\\n]+$/.test(name) && name !== '.' && name !== '..';
  const name = /^(.+)\.\d+\.base\./.exec(isText(base?.name) ? base.name : '')?.[1];
  const isFile = (file) => isPlain(file?.name) && Number.isSafeInteger(file.sequence);
  if (name === undefined || !isPlain(id) || !files.every(([file]) => isFile(file))) return undefined;
  const place = path.join(directory, id);
  if (!files.every(([file]) => fs.existsSync(path.join(place, file.name)))) return undefined;
  const lines = files.map(([file, type]) => `file "${file.name}" seq ${file.sequence} type ${type}\n`);
  fs.writeFileSync(path.join(place, `${name}.manifest`), lines.join(''), { flag: 'wx', mode: 0o600 });
  return { id, name };
}

function requireApart(wal, directory) {
  const isInside = (one, other) => one === other || one.startsWith(`${other}${path.sep}`);
  if (isInside(wal, directory) || isInside(directory, wal))
    throw new Trouble('usage', `'--wal' ${quoted(wal)} and '--to' ${quoted(directory)} lie in each other`);
  requireEmptyOrAbsent(wal);
}

async function planRecovery(vault, manifest, target, options) {
  if (manifest.kind !== 'physical')
    throw new Trouble('usage', `'--log' is for physical snapshots; ${manifest.id} is of kind ${quoted(manifest.kind)}`);
  const cluster = clusterOf(manifest);
  const log = await new Log(vault, manifest.component, cluster.systemId).readHistories();
  const size = await log.segmentSize();
  if (size === undefined) throw new Trouble('refused', `there is no log of cluster ${cluster.systemId} here`);
  const wanted = options.timeline === undefined ? undefined : Number(options.timeline);
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted > 0))
    throw new Trouble('usage', `'--timeline' is ${quoted(options.timeline)}; expected a number`);
  const timeline = chooseTimeline(log, cluster, wanted);
  if (target?.kind === 'lsn' && lsnValue(target.value) < cluster.stop) {
    throw new Trouble(
      'refused',
      `this snapshot ends at ${lsnText(cluster.stop)}, after ${target.value}`,
      'take an older snapshot',
    );
  }
  if (target?.kind === 'time' && micros(target.value) < micros(cluster.to)) {
    throw new Trouble(
      'refused',
      `this snapshot ends at ${cluster.to}, after ${target.value}`,
      'take an older snapshot',
    );
  }
  return { cluster, log, size, timeline };
}

/** Log and settings; answers whether the log is without a hole and reaches what was asked for. */
async function recoverable({ cluster, log, size, timeline }, wal, directory, target, options, say) {
  const written = await writeLog(log, wal, {
    start: cluster.start - (cluster.start % BigInt(size)),
    timeline,
    size,
    from: cluster.timeline,
  });
  writeHistories(log, wal);
  for (const error of log.troubles) say(`damaged: ${error.message}`);
  const { mark } = log.timelines.get(timeline) ?? {};
  say(
    `${written.files} segments of log in ${wal}, to ${lsnText(written.end)} on timeline ${timeline}${written.maxTime ? `, last transaction at ${written.maxTime}` : ''}`,
  );
  if (!written.isWhole)
    say(
      `damaged: the log goes on after ${lsnText(written.end)}, but not without a hole; what lies behind it is not written`,
    );
  if (written.end < cluster.stop) {
    say(
      `damaged: the log ends before the backup does (${lsnText(cluster.stop)}): no server can become consistent on it`,
    );
    return false;
  }
  const { target: kept, reached } = reachTarget(target, written, mark, say);
  writeRecovery(directory, recoverySettings(cluster, wal, { timeline, target: kept, exclusive: options.exclusive }));
  for (const line of nextCommands(directory, wal, cluster, kept)) say(line);
  return written.isWhole && log.troubles.length === 0 && reached;
}

/** A server that finds no transaction after the asked time ends with an error: the end of the log is the same moment, if a mark says that it is. */
function reachTarget(target, written, mark, say) {
  if (target?.kind === 'lsn' && lsnValue(target.value) > written.end) {
    say(
      `damaged: the log ends at ${lsnText(written.end)}, before ${target.value}: the server will end without reaching it`,
    );
    return { target, reached: false };
  }
  if (target?.kind !== 'time') return { target, reached: true };
  const asked = micros(target.value);
  if (written.maxTime !== undefined && micros(written.maxTime) > asked) return { target, reached: true };
  if (mark && isoTime.test(mark.time) && micros(mark.time) >= asked && mark.lsn <= written.end) {
    say(`note: no transaction ended between ${target.value} and the end of the log: the target is the end of the log`);
    return { target: undefined, reached: true };
  }
  say(
    `damaged: the log is known to ${written.maxTime ?? 'no moment'}, before ${target.value}: the server will end without reaching it`,
  );
  return { target, reached: false };
}

async function writeAllLog(vault, [component], options, say) {
  if (component === undefined || options.wal === undefined)
    throw new Trouble('usage', "'log' wants a component and '--wal'");
  wantedComponents(vault.folder, [component]);
  const systems = vault.folder.names(`${component}/log`);
  const systemId = options['system-id'] ?? (systems.length === 1 ? systems[0] : undefined);
  if (systemId === undefined || !systems.includes(systemId)) {
    throw new Trouble('usage', `name a cluster with '--system-id': there are ${systems.join(', ') || 'none'}`);
  }
  const log = await new Log(vault, component, systemId).readHistories();
  const size = await log.segmentSize();
  if (size === undefined) throw new Trouble('refused', `there is no log of cluster ${systemId} that can be read here`);
  requireEmptyOrAbsent(options.wal);
  const wal = emptyTarget(options.wal);
  let holes = 0;
  for (const { timeline, segments } of log.timelines.values()) {
    for (const name of [...segments.keys()].sort()) {
      try {
        const got = await log.assemble(timeline, name, size);
        need(got && got.from === 0, `segment ${name} has no beginning here`);
        fs.writeFileSync(path.join(wal, name), got.bytes, { flag: 'wx', mode: 0o600 });
        say(`${name}${got.to < size ? `  to ${lsnText(segmentStart(name, size) + BigInt(got.to))}, then zeros` : ''}`);
      } catch (error) {
        if (!(error instanceof Trouble)) throw error;
        holes++;
        say(`${error.kind}: ${error.message}`);
      }
    }
  }
  writeHistories(log, wal);
  for (const error of log.troubles) say(`${error.kind}: ${error.message}`);
  return holes + log.troubles.length > 0 ? 4 : 0;
}

// ── Checking everything ──────────────────────────────────────────────────────────────────────────────────────────────

const verdicts = ['good', 'damaged', 'missing', 'unreadable'];

/** Every chunk that the file is made of is in a pack, and is as long as it has to be. */
function checkPlaces(source, entry) {
  let sizeBytes = 0;
  for (const { id, offset, length } of slicesOf(entry)) {
    const place = source.table.find(id);
    if (!place) throw new Trouble('missing', `a chunk of ${quoted(entry.path)} is in no pack`);
    need(offset + (length ?? 0) <= place.length, `${quoted(entry.path)} has a piece outside of its chunk`);
    sizeBytes += length ?? place.length;
  }
  need(sizeBytes === entry.sizeBytes, `the chunks of ${quoted(entry.path)} are not as long as the file`);
}

class Check {
  constructor(vault, say) {
    Object.assign(this, { vault, say });
    this.counts = Object.fromEntries(verdicts.map((verdict) => [verdict, 0]));
    this.bad = new Map();
    this.chunks = 0;
  }

  /** Runs one piece of checking and counts what came of it. */
  async judge(what, work) {
    try {
      await work();
      this.counts.good++;
      return 'good';
    } catch (error) {
      if (!(error instanceof Trouble) || this.counts[error.kind] === undefined) throw error;
      this.counts[error.kind]++;
      this.bad.set(what, error.kind);
      this.say(`${error.kind}  ${what}: ${error.message}`);
      return error.kind;
    }
  }

  async component(component) {
    const { folder } = this.vault;
    for (const name of folder.names(`${component}/generations`)) await this.#generation(component, name);
    for (const systemId of folder.names(`${component}/log`)) await this.#log(component, systemId);
    for (const key of manifestKeys(folder, component)) await this.judge(key, () => this.#snapshot(key));
  }

  async #generation(component, name) {
    const location = `${component}/generations/${name}`;
    let generation;
    await this.judge(`${location}/key`, async () => {
      generation = await openGeneration(this.vault, component, name);
    });
    for (const key of this.vault.folder.keys(`${location}/packs`))
      await this.judge(key, () => this.#pack(generation, key));
    for (const key of this.vault.folder.keys(`${location}/indexes`)) {
      await this.judge(key, async () => {
        need(generation !== undefined, 'the key of its generation is not at hand');
        const { body } = await unseal(this.vault, types.index, generation.indexKey, key);
        parseIndexObject(body, quoted(key), (pack, index) =>
          parsePackIndex(
            index,
            undefined,
            pack,
            () => 0,
            () => {},
          ),
        );
      });
    }
  }

  async #pack(generation, key) {
    const name = key.slice(key.lastIndexOf('/') + 1);
    need(/\/packs\/([0-9a-f]{2})\/\1[0-9a-f]{62}$/.test(key), 'this is not the name of a pack');
    const sizeBytes = this.vault.folder.size(key);
    const hash = createHash('sha256');
    for (let at = 0; at < sizeBytes; at += 1 << 24)
      hash.update(this.vault.folder.read(key, at, Math.min(1 << 24, sizeBytes - at)));
    need(hash.digest('hex') === name, 'its bytes are not those that its name stands for');
    need(generation !== undefined, 'the key of its generation is not at hand');
    const { packSecret, index, frames, framesEnd } = openPack(this.vault, generation, name, sizeBytes);
    const found = [];
    const chunks = [];
    const end = parsePackIndex(
      index,
      frames,
      `pack ${quoted(name)}`,
      (frame) => found.push(frame) - 1,
      (id, frame, offset, length) => {
        chunks.push({ id, frame, offset, length });
      },
    );
    need(end <= framesEnd, 'its frames reach into its index');
    await this.#chunksOf(generation, name, packSecret, found, chunks);
  }

  async #chunksOf(generation, name, packSecret, frames, chunks) {
    const chunkIdKey = fromVaultKey(this.vault, 'chunk-id');
    let next = 0;
    for (let at = 0; at < frames.length; at += 4) {
      const wanted = frames
        .slice(at, at + 4)
        .map((frame) => ({ generation, name, packSecret: () => packSecret, frame }));
      const opened = await openFrames(this.vault, wanted);
      for (const plain of opened) if (plain instanceof Error) throw plain;
      for (; next < chunks.length && chunks[next].frame < at + 4; next++) {
        const { id, frame, offset, length } = chunks[next];
        const bytes = opened[frame - at].subarray(offset, offset + length);
        need(
          createHmac('sha256', chunkIdKey).update(sha256(bytes)).digest().equals(id),
          `a chunk in frame ${frames[frame].offset} is not what its id says`,
        );
        this.chunks++;
      }
    }
  }

  async #snapshot(key) {
    const manifest = await readManifest(this.vault, key);
    const source = await new ChunkSource(this.vault).open(manifest);
    for (const { weight, error } of source.troubles) if (weight === 'loss') throw error;
    for (const { generation, name } of source.packs) {
      const verdict = this.bad.get(packKey(generation, name));
      if (verdict) throw new Trouble(verdict, `its pack ${name} is ${verdict}`);
    }
    for await (const entry of readTree(source, manifest)) {
      if (entry instanceof Trouble) throw entry;
      if (entry.type === 'file') checkPlaces(source, entry);
    }
    if (manifest.kind === 'physical' && isText(manifest.engine.stopLsn)) await this.#logOf(manifest);
  }

  /** A physical snapshot is nothing without the log from its start to its stop. */
  async #logOf(manifest) {
    const { systemId, start, stop, timeline } = clusterOf(manifest);
    const log = new Log(this.vault, manifest.component, systemId);
    const size = await log.segmentSize();
    const there = size === undefined ? [] : stretches(log.timelines.get(timeline) ?? { segments: new Map() }, size);
    const hasAll = there.some(([from, to]) => from <= start && to >= stop);
    if (!hasAll)
      throw new Trouble(
        'missing',
        `the log from its start ${lsnText(start)} to its stop ${lsnText(stop)} is not all there`,
      );
    for (const key of this.bad.keys()) {
      const at = key.startsWith(`${manifest.component}/log/${systemId}/${hexadecimal(timeline, 8)}/`)
        ? segmentStart(key.slice(key.lastIndexOf('/') + 1, key.lastIndexOf('/') + 25), size)
        : undefined;
      if (at !== undefined && at < stop && at + BigInt(size) > start)
        throw damaged(`its log ${quoted(key)} is ${this.bad.get(key)}`);
    }
  }

  async #log(component, systemId) {
    const log = new Log(this.vault, component, systemId);
    for (const { timeline, segments, hasHistory } of log.timelines.values()) {
      for (const { closed, extents } of segments.values()) {
        if (closed) await this.judge(closed, () => log.open(closed, types.segment));
        for (const key of extents) await this.judge(key, () => log.open(key, types.extent));
      }
      const location = `${log.location}/${hexadecimal(timeline, 8)}`;
      const rest = this.vault.folder.names(location).filter((name) => name.startsWith('mark.'));
      for (const name of rest)
        await this.judge(`${location}/${name}`, () =>
          unseal(this.vault, types.mark, log.baseKey, `${location}/${name}`),
        );
      if (!hasHistory) continue;
      await this.judge(`${location}/history`, async () => {
        const { header, body } = await unseal(this.vault, types.history, log.baseKey, `${location}/history`);
        need(header.timeline === timeline, 'it is of another timeline');
        parseHistory(body.toString('utf8'));
      });
    }
  }

  /** Everything that belongs to no component. */
  async records() {
    const { folder } = this.vault;
    const kinds = [
      ['runs', types.record, 'record'],
      ['leases', types.lease, 'record'],
      ['tombstones', types.tombstone, 'retention'],
      ['holds', types.hold, 'retention'],
    ];
    for (const [prefix, type, info] of kinds) {
      const baseKey = fromVaultKey(this.vault, info);
      for (const key of folder.keys(prefix)) await this.judge(key, () => unseal(this.vault, type, baseKey, key));
    }
    for (const key of folder.keys('keys')) {
      if (key.endsWith('.json')) await this.judge(key, () => parseSlot(key, folder.readAll(key, largestSlotBytes)));
      else await this.judge(key, () => unseal(this.vault, types.slotRemoval, fromVaultKey(this.vault, 'record'), key));
    }
  }
}

async function check(vault, args, _options, say) {
  const checking = new Check(vault, say);
  for (const component of wantedComponents(vault.folder, args)) await checking.component(component);
  if (args.length === 0) await checking.records();
  const { good, ...rest } = checking.counts;
  say(
    `${good} good, ${Object.entries(rest)
      .map(([verdict, count]) => `${count} ${verdict}`)
      .join(', ')}; ${checking.chunks} chunks were compared with their ids`,
  );
  if (good + checking.bad.size === 0) throw new Trouble('failed', 'there was nothing to check');
  return checking.bad.size > 0 ? 4 : 0;
}

// ── The command line ─────────────────────────────────────────────────────────────────────────────────────────────────

const withValue = [
  'vault',
  'key-file',
  'passphrase-file',
  'kms-key-file',
  'zstd',
  'to',
  'wal',
  'timeline',
  'system-id',
  'target-time',
  'target-lsn',
  'target-xid',
  'target-name',
];
const switches = ['log', 'exclusive', 'help'];

function parseArguments(argv) {
  const options = {};
  const words = [];
  for (let at = 0; at < argv.length; at++) {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/s.exec(argv[at]) ?? [];
    if (name === undefined) {
      words.push(argv[at]);
      continue;
    }
    if (name in options) throw new Trouble('usage', `'--${name}' is given twice`);
    if (switches.includes(name)) options[name] = true;
    else if (!withValue.includes(name)) throw new Trouble('usage', `there is no option '--${name}'`);
    else {
      options[name] = value ?? argv[++at];
      if (options[name] === undefined || options[name] === '') throw new Trouble('usage', `'--${name}' wants a value`);
    }
  }
  return { options, words };
}

const commands = { list, restore, log: writeAllLog, check };

/** Answers the exit status; `say` gets what goes to standard output, `complain` the one error that ended it. */
export async function main(argv, say, complain) {
  try {
    const { options, words } = parseArguments(argv);
    if (options.help) {
      say(usage);
      return 0;
    }
    const [name, ...rest] = words;
    const command = Object.hasOwn(commands, name ?? '') ? commands[name] : undefined;
    if (!command || options.vault === undefined || rest.length > 1) {
      const why = !command
        ? `expected a command, got ${quoted(name ?? '')}`
        : rest.length > 1
          ? `${quoted(rest[1])} is one word too many`
          : "'--vault' is missing";
      throw new Trouble('usage', why, `run 'node rescue.mjs --help'`);
    }
    return await command(openVault(new Folder(options.vault), options), rest, options, say);
  } catch (error) {
    if (!(error instanceof Trouble)) {
      complain(`rescue: this should not happen: ${error.name}: ${error.message}`);
      return 70;
    }
    complain(`rescue: ${error.message}${error.hint ? `\n  hint: ${error.hint}` : ''}`);
    return statuses[error.kind];
  }
}

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  process.stdout.on('error', () => process.exit(1)); // whoever read it has gone
  process.exitCode = await main(
    process.argv.slice(2),
    (line) => process.stdout.write(`${line}\n`),
    (line) => process.stderr.write(`${line}\n`),
  );
}
