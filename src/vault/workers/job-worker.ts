// Entry of a reading thread: does one job after the other, each in one go, and answers.

import { closeSync, fstatSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { HoldfastError, isHoldfastError, toHoldfastError } from '../../errors/index.ts';
import { CHUNK_ID_BYTES, ChunkIds } from '../chunk-id.ts';
import { inspectPack } from './inspect-pack.ts';
import type { AnswerTo, Job, JobKind, Jobs, Reply, TargetRoot } from './jobs.ts';
import { placeFiles } from './place-files.ts';
import { sealLog } from './seal-log.ts';
import { beginLarge, finishLarge, keepIfRight, LargeHash, readInto } from './target-files.ts';
import { TargetTree } from './target-tree.ts';
import { unsealLog } from './unseal-log.ts';

/** What one restore keeps in this thread between jobs. */
interface Session {
  readonly tree: TargetTree;
  /** Of large files that this thread hashes, by path. */
  readonly hashes: Map<string, LargeHash>;
}

let session: Session | undefined;

function sessionOf(root: TargetRoot): Session {
  if (session?.tree.root.session === root.session) return session;
  session?.tree.close();
  session = { tree: new TargetTree(root), hashes: new Map() };
  return session;
}

const handlers: {
  readonly [Kind in JobKind]: (job: Jobs[Kind]['job']) => AnswerTo<Kind> | Promise<AnswerTo<Kind>>;
} = {
  keep: ({ root, files }) => {
    const { tree } = sessionOf(root);
    return { kept: files.map((file) => keepIfRight(tree, file)) };
  },
  place: (job) => placeFiles(sessionOf(job.root).tree, job),
  begin: (job) => {
    const { tree, hashes } = sessionOf(job.root);
    hashes.delete(job.file.path);
    const { handle, isNew } = beginLarge(tree, job.file);
    try {
      const inode = `${fstatSync(handle, { bigint: true }).ino}`;
      return { right: isNew ? undefined : rightChunks(handle, job), inode };
    } finally {
      closeSync(handle);
    }
  },
  advance: ({ root, file, upTo }) => {
    const { tree, hashes } = sessionOf(root);
    hashOf(hashes, file.path).advance(tree, file, upTo);
    return {};
  },
  finish: ({ root, file, inode }) => {
    const { tree, hashes } = sessionOf(root);
    const hash = hashOf(hashes, file.path);
    hashes.delete(file.path);
    finishLarge(tree, file, hash, inode);
    return {};
  },
  inspect: (job) => inspectPack(job),
  seal: (job) => sealLog(job),
  unseal: (job) => unsealLog(job),
  leave: ({ root }) => {
    const { tree } = sessionOf(root);
    tree.sync();
    tree.close();
    session = undefined;
    return tree.lacking;
  },
};

/** A thread that takes the place of one that died starts at the file's first byte. */
function hashOf(hashes: Map<string, LargeHash>, path: string): LargeHash {
  const known = hashes.get(path) ?? new LargeHash();
  hashes.set(path, known);
  return known;
}

function rightChunks(handle: number, { setup, ids, lengths }: Jobs['begin']['job']): Uint8Array {
  const chunkIds = new ChunkIds(setup.chunkIdKey);
  const right = new Uint8Array(lengths.length);
  let position = 0;
  for (const [number, length] of lengths.entries()) {
    const pieces: Buffer[] = [];
    readInto(handle, position, position + length, (bytes) => pieces.push(Buffer.from(bytes)));
    const id = ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES);
    if (chunkIds.of(Buffer.concat(pieces)).equals(id)) right[number] = 1;
    position += length;
  }
  return right;
}

function ofSystem(error: unknown, job: Job): HoldfastError {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (isHoldfastError(error) || code === undefined || syscall === undefined) return toHoldfastError(error);
  const where = 'root' in job ? job.root.directory : 'the disk';
  if (code === 'ENOSPC' || code === 'EDQUOT') return new HoldfastError('NO_SPACE', `no room in '${where}'`);
  return new HoldfastError('TARGET_UNFIT', `'${where}' cannot be restored into: ${message}`, {
    hint: 'check its owner, its mode and its disk',
  });
}

async function answer(number: number, job: Job): Promise<Reply> {
  type Handler = (job: Job) => Jobs[JobKind]['answer'] | Promise<Jobs[JobKind]['answer']>;
  try {
    // Whoever waits here waits for nothing outside, so no other job comes between.
    return { number, answer: await (handlers[job.kind] as Handler)(job) };
  } catch (error) {
    return { number, error: ofSystem(error, job).toJSON() };
  }
}

/** Large buffers go to whoever asked instead of being copied. */
function given(reply: Reply): readonly ArrayBuffer[] {
  if (!('answer' in reply)) return [];
  const { answer } = reply;
  if ('ranges' in answer) return answer.ranges;
  return 'sealed' in answer ? [answer.sealed] : 'bytes' in answer ? [answer.bytes] : [];
}

parentPort?.on('message', ({ number, job }: { number: number; job: Job }) => {
  void answer(number, job).then((reply) => parentPort?.postMessage(reply, [...given(reply)]));
});
