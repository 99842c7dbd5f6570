// Ciphertext of frames by few ranged reads: adjacent frames of a pack together, each frame from a source that was not wrong about it.

import type { HoldfastError } from '../../errors/index.ts';
import type { SourcePack } from '../chunk-source.ts';
import { TAG_BYTES } from '../crypto.ts';
import { HEAD_BYTES, packKey } from '../pack.ts';
import type { FramePlace } from '../pack-index.ts';
import { ReadBuffers } from '../read-buffers.ts';
import { failWithWorst } from '../replicate.ts';
import type { FrameToOpen, PackToOpen } from '../workers/jobs.ts';
import type { PackSources, Source } from './pack-sources.ts';

const LARGEST_RANGE_BYTES = 8 * 1024 * 1024;
/** Reading over a gap costs less than another request. */
const LARGEST_GAP_BYTES = 128 * 1024;

/** A frame that somebody wants, and who could not give it. */
export interface WantedFrame {
  readonly pack: number;
  readonly place: FramePlace;
  readonly tried: Set<string>;
  readonly errors: HoldfastError[];
}

export function wantedFrame(pack: number, place: FramePlace): WantedFrame {
  return { pack, place, tried: new Set(), errors: [] };
}

export interface FetchedFrames {
  readonly packs: readonly PackToOpen[];
  readonly ranges: readonly ArrayBuffer[];
  /** In the order asked for. */
  readonly frames: readonly FrameToOpen[];
  readonly sources: readonly Source[];
}

interface Fetched {
  readonly source: Source;
  readonly key: Buffer;
  readonly range: ArrayBuffer;
  readonly at: number;
}

export class FrameFetcher {
  readonly #packs: readonly SourcePack[];
  readonly #sources: PackSources;
  readonly #signal: AbortSignal | undefined;
  readonly #buffers = new ReadBuffers();
  readonly #keys = new Map<string, Promise<Buffer>>();

  constructor(packs: readonly SourcePack[], sources: PackSources, signal: AbortSignal | undefined) {
    this.#packs = packs;
    this.#sources = sources;
    this.#signal = signal;
  }

  /** Throws what says most when no source gives a frame. */
  async fetch(frames: readonly WantedFrame[]): Promise<FetchedFrames> {
    const fetched = new Map<WantedFrame, Fetched>();
    for (let missing = [...frames]; missing.length > 0; missing = missing.filter((frame) => !fetched.has(frame))) {
      const ranges = await this.#plan(missing);
      await Promise.all(ranges.map((range) => this.#read(range, fetched)));
    }
    return this.#assemble(frames, fetched);
  }

  /** Nobody reads what was fetched any more. */
  giveBack(ranges: readonly ArrayBuffer[]): void {
    for (const range of ranges) this.#buffers.giveBack(range);
  }

  /** A thread found that a frame is not what was stored. */
  damaged(frame: WantedFrame, source: Source, cause: unknown): void {
    frame.tried.add(source.name);
    frame.errors.push(this.#sources.failed(frame.pack, source, cause));
    this.#keys.delete(`${source.name} ${frame.pack}`); // the salt may be what is damaged
  }

  async #plan(frames: readonly WantedFrame[]): Promise<Range[]> {
    const bySource = new Map<string, { source: Source; frames: WantedFrame[] }>();
    for (const frame of frames) {
      const source = await this.#sources.next(frame.pack, frame.tried);
      if (!source) return failWithWorst(this.#sources.keyOf(frame.pack), frame.errors);
      const group = bySource.get(`${source.name} ${frame.pack}`) ?? { source, frames: [] };
      group.frames.push(frame);
      bySource.set(`${source.name} ${frame.pack}`, group);
    }
    return [...bySource.values()].flatMap(({ source, frames }) => rangesOf(source, frames));
  }

  async #read({ source, pack, frames, start, end }: Range, fetched: Map<WantedFrame, Fetched>): Promise<void> {
    try {
      const [key, range] = await Promise.all([this.#keyOf(source, pack), this.#get(source, pack, start, end - start)]);
      for (const frame of frames) fetched.set(frame, { source, key, range, at: frame.place.offset - start });
    } catch (cause) {
      this.#signal?.throwIfAborted();
      const error = this.#sources.failed(pack, source, cause);
      for (const frame of frames) {
        frame.tried.add(source.name);
        frame.errors.push(error);
      }
    }
  }

  /** The salt of a pack is in its first bytes; asked of the same source so that a damaged one is noticed there. */
  #keyOf(source: Source, pack: number): Promise<Buffer> {
    const place = `${source.name} ${pack}`;
    const known = this.#keys.get(place);
    if (known) return known;
    const { context } = (this.#packs[pack] as SourcePack).generation;
    const key = this.#get(source, pack, 0, HEAD_BYTES).then((head) =>
      packKey(context, Buffer.from(head, 0, HEAD_BYTES), this.#what(source, pack)),
    );
    this.#keys.set(place, key);
    key.catch(() => this.#keys.delete(place));
    return key;
  }

  async #get({ copy, version }: Source, pack: number, offset: number, length: number): Promise<ArrayBuffer> {
    const { take } = this.#buffers;
    const options = { ...(this.#signal && { signal: this.#signal }), ...(version !== undefined && { version }) };
    const bytes = await copy.store.get(this.#sources.keyOf(pack), { offset, length }, { ...options, into: take });
    return this.#buffers.whole(bytes);
  }

  #what(source: Source, pack: number): string {
    return `'${this.#sources.keyOf(pack)}' on '${source.name}'`;
  }

  #assemble(wanted: readonly WantedFrame[], fetched: ReadonlyMap<WantedFrame, Fetched>): FetchedFrames {
    const ranges = new Map<ArrayBuffer, number>();
    const packs = new Map<string, { number: number; pack: PackToOpen }>();
    const sources: Source[] = [];
    const frames = wanted.map((frame): FrameToOpen => {
      const { source, key, range, at } = fetched.get(frame) as Fetched;
      sources.push(source);
      if (!ranges.has(range)) ranges.set(range, ranges.size);
      const name = `${source.name} ${frame.pack}`;
      const { path } = (this.#packs[frame.pack] as SourcePack).generation;
      const what = this.#what(source, frame.pack);
      const known = packs.get(name) ?? { number: packs.size, pack: { path, key, what } };
      packs.set(name, known);
      return { pack: known.number, range: ranges.get(range) as number, at, place: frame.place };
    });
    return { packs: [...packs.values()].map(({ pack }) => pack), ranges: [...ranges.keys()], frames, sources };
  }
}

interface Range {
  readonly source: Source;
  readonly pack: number;
  readonly frames: WantedFrame[];
  readonly start: number;
  end: number;
}

/** Frames of one pack in the order of their places, near ones by one read. */
function rangesOf(source: Source, frames: readonly WantedFrame[]): Range[] {
  const ranges: Range[] = [];
  for (const frame of [...frames].sort((a, b) => a.place.offset - b.place.offset)) {
    const { offset, storedLength } = frame.place;
    const end = offset + storedLength + TAG_BYTES;
    const last = ranges.at(-1);
    if (last && offset - last.end <= LARGEST_GAP_BYTES && end - last.start <= LARGEST_RANGE_BYTES) {
      last.frames.push(frame);
      last.end = Math.max(last.end, end);
    } else ranges.push({ source, pack: frame.pack, frames: [frame], start: offset, end });
  }
  return ranges;
}
