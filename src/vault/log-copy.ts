// The log of one database cluster on one copy: closed segments, extents of the open one, time marks, history files.

import { z } from 'zod';
import type { ComponentId } from '../domain/component.ts';
import {
  compareLsn,
  type Lsn,
  lsnDistance,
  lsnFrom,
  lsnValue,
  parseSegmentName,
  type SegmentName,
  segmentNameAt,
  segmentStart,
} from '../domain/lsn.ts';
import { isMoment, type Moment } from '../domain/moment.ts';
import { fail, isHoldfastError } from '../errors/index.ts';
import type { Copy } from './copies.ts';
import {
  deleteReplaced,
  forEachLimited,
  getHeader,
  getSealed,
  listAll,
  putSealed,
  sealContext,
  type VaultCore,
} from './core.ts';
import {
  extentKey,
  historyKey,
  type LogName,
  logPrefix,
  markKey,
  marksPrefix,
  parseLogName,
  segmentKey,
  timelinePart,
} from './layout.ts';
import { sha256Of } from './manifest.ts';
import { namedOn } from './retention/named.ts';
import { objectTypes } from './sealed.ts';
import type { LogCopy, LogHeader, LogListing, LogObject, TimeMark } from './types.ts';

const lsn = z.custom<Lsn>((value) => typeof value === 'string' && /^[0-9A-F]{1,8}\/[0-9A-F]{1,8}$/.test(value));
const moment = z.custom<Moment>((value) => typeof value === 'string' && isMoment(value));
const point = z.object({ lsn, time: moment });
const markSchema = z.object({ time: moment, lsn });
const headerSchema = z.object({
  timeline: z.number().int().positive(),
  segmentSizeBytes: z.number().int().positive(),
  fromLsn: lsn,
  toLsn: lsn,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  first: point.optional(),
  last: point.optional(),
  maxTime: moment.optional(),
  restorePoints: z.array(z.object({ name: z.string(), lsn, endLsn: lsn, time: moment })),
  mark: markSchema.optional(),
});
/** Headers read at once when extents are dropped. */
const WIDTH = 8;

/** A store that holds no vault, as a disk that is not mounted, gets nothing, and that nothing is there says nothing. */
export class VaultLogCopy implements LogCopy {
  readonly copy: string;
  readonly #core: VaultCore;
  readonly #copy: Copy;
  readonly #prefix: string;
  /** Set by `initdb` for the life of a cluster; learned from the first object. */
  #segmentSizeBytes: number | undefined;

  constructor(core: VaultCore, component: ComponentId, systemId: string, copy: Copy) {
    if (!/^\d{1,20}$/.test(systemId)) fail('INTERNAL', `'${systemId}' is not a system identifier`);
    this.#core = core;
    this.#copy = copy;
    this.copy = copy.description.name;
    this.#prefix = logPrefix(component, systemId);
  }

  async putSegment(header: LogHeader, bytes: Uint8Array): Promise<void> {
    const segment = checkLogBytes(header, bytes);
    if (header.fromLsn !== startOf(segment, header.segmentSizeBytes)) {
      fail('INTERNAL', `segment '${segment}' must begin at its first byte, got ${header.fromLsn}`);
    }
    await this.#put('segment', segmentKey(this.#prefix, segment), header, bytes);
  }

  async putExtent(header: LogHeader, bytes: Uint8Array): Promise<void> {
    const segment = checkLogBytes(header, bytes);
    await this.#put('extent', extentKey(this.#prefix, segment, header.fromLsn, header.toLsn), header, bytes);
  }

  async putMark(timeline: number, mark: TimeMark): Promise<void> {
    const key = markKey(this.#prefix, timeline, mark);
    const { store } = this.#copy;
    await this.#requireVault();
    try {
      await putSealed(store, sealContext(this.#core, objectTypes.mark, key), mark, Buffer.alloc(0));
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
    }
    const older: string[] = [];
    for (const info of await listAll(store, marksPrefix(this.#prefix, timeline))) {
      const name = this.#nameOf(info.key);
      if (name?.kind !== 'mark' || info.key === key) continue;
      if (name.mark.time <= mark.time && compareLsn(name.mark.lsn, mark.lsn) <= 0) older.push(info.key);
    }
    if (older.length === 0) return;
    await this.#readMark(key); // what replaces them is really there and good
    await deleteReplaced(store, older, this.#core.logger);
  }

  async putHistory(timeline: number, text: string): Promise<void> {
    const key = historyKey(this.#prefix, timeline);
    await this.#requireVault();
    try {
      const context = sealContext(this.#core, objectTypes.history, key);
      await putSealed(this.#copy.store, context, { timeline }, Buffer.from(text));
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS') || (await this.readHistory(timeline)) !== text) throw error;
    }
  }

  async list(options: { timeline?: number; fromSegment?: SegmentName } = {}): Promise<LogListing> {
    const directory = options.timeline === undefined ? '' : `${timelinePart(options.timeline)}/`;
    await this.#requireVault();
    const names: { name: LogName; key: string; sizeBytes: number }[] = [];
    for (const { key, sizeBytes } of await listAll(this.#copy.store, this.#prefix + directory)) {
      const name = this.#nameOf(key);
      if (name) names.push({ name, key, sizeBytes });
    }
    const from = options.fromSegment?.slice(8) ?? '';
    const objects: LogObject[] = [];
    for (const { name, key, sizeBytes } of names) {
      if ((name.kind !== 'segment' && name.kind !== 'extent') || name.segment.slice(8) < from) continue;
      const range = name.kind === 'extent' ? name : await this.#segmentRange(name.segment, key, sizeBytes);
      const { kind, timeline, segment } = name;
      objects.push({ kind, timeline, segment, fromLsn: range.fromLsn, toLsn: range.toLsn, key, sizeBytes });
    }
    const histories = names.flatMap(({ name }) => (name.kind === 'history' ? [name.timeline] : []));
    const mark = await this.#newestMark(names.filter(({ name }) => name.kind === 'mark').map(({ key }) => key));
    return { systemId: this.#systemId, objects, histories, ...(mark && { mark }) };
  }

  async named(): Promise<ReadonlySet<string>> {
    await this.#requireVault();
    return namedOn(this.#core, [this.#copy]);
  }

  async readHeader(object: LogObject): Promise<LogHeader> {
    const header = await getHeader(this.#copy.store, this.#contextOf(object), object.sizeBytes);
    return checkLogHeader(object, header);
  }

  async read(object: LogObject): Promise<{ header: LogHeader; bytes: Buffer }> {
    const { header: data, body: bytes } = await getSealed(this.#copy.store, this.#contextOf(object));
    const header = checkLogHeader(object, data);
    if (bytes.length !== lsnDistance(header.fromLsn, header.toLsn) || sha256Of(bytes) !== header.sha256) {
      fail('OBJECT_DAMAGED', `'${object.key}' on '${this.copy}' does not hold the log that it says`);
    }
    return { header, bytes };
  }

  async readHistory(timeline: number): Promise<string> {
    const key = historyKey(this.#prefix, timeline);
    const { body } = await getSealed(this.#copy.store, sealContext(this.#core, objectTypes.history, key));
    return body.toString();
  }

  async dropExtents(segment: SegmentName): Promise<void> {
    const closedKey = segmentKey(this.#prefix, segment);
    const superseded: string[] = [];
    const listed = (await listAll(this.#copy.store, `${closedKey}.`)).map((info) =>
      this.#object(info.key, info.sizeBytes),
    );
    const extents = listed.filter((object) => object?.kind === 'extent' && object.segment === segment) as LogObject[];
    if (extents.length === 0) return;
    const timeline = Number.parseInt(segment.slice(0, 8), 16);
    const closedObject = { kind: 'segment', timeline, segment, key: closedKey } as const;
    const closed = await this.read({ ...closedObject, fromLsn: lsnFrom(0n), toLsn: lsnFrom(0n), sizeBytes: 0 });
    await forEachLimited(extents, WIDTH, async (extent) => {
      if (await this.#isSuperseded(extent, closed)) superseded.push(extent.key);
    });
    await deleteReplaced(this.#copy.store, superseded, this.#core.logger);
  }

  /** Whether the closed segment holds the very bytes of the extent. Throws `OBJECT_EXISTS` when it holds others. */
  async #isSuperseded(extent: LogObject, closed: { header: LogHeader; bytes: Buffer }): Promise<boolean> {
    const header = await this.readHeader(extent);
    const start = lsnDistance(closed.header.fromLsn, header.fromLsn);
    const end = lsnDistance(closed.header.fromLsn, header.toLsn);
    if (start < 0 || end > closed.bytes.length) return false; // log past the end of a timeline that was left: kept
    if (sha256Of(closed.bytes.subarray(start, end)) === header.sha256) return true;
    return fail('OBJECT_EXISTS', `'${extent.key}' on '${this.copy}' has other log than its closed segment`);
  }

  async #put(kind: 'segment' | 'extent', key: string, header: LogHeader, bytes: Uint8Array): Promise<void> {
    await this.#requireVault();
    try {
      await putSealed(this.#copy.store, sealContext(this.#core, objectTypes[kind], key), header, bytes);
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_EXISTS')) throw error;
      const info = await this.#copy.store.head(key);
      const object = this.#object(key, info?.sizeBytes ?? 0) ?? fail('INTERNAL', `'${key}' is no log object`);
      const stored = await this.read(object);
      if (stored.header.sha256 === header.sha256 && stored.header.toLsn === header.toLsn) return;
      fail('OBJECT_EXISTS', `'${key}' on '${this.copy}' holds other log than is now sent under its name`, {
        cause: error,
        details: { copy: this.copy, key, stored: stored.header.sha256, sent: header.sha256 },
      });
    }
  }

  #requireVault(): Promise<void> {
    return this.#core.copies.requireReady(this.#copy);
  }

  get #systemId(): string {
    return this.#prefix.split('/')[3] as string;
  }

  #nameOf(key: string): LogName | undefined {
    return parseLogName(key.slice(this.#prefix.length));
  }

  /** A closed segment's range is not in its name: `read` takes it from the header. */
  #object(key: string, sizeBytes: number): LogObject | undefined {
    const name = this.#nameOf(key);
    if (name?.kind === 'extent') return { ...name, key, sizeBytes };
    if (name?.kind !== 'segment') return undefined;
    return { ...name, fromLsn: lsnFrom(0n), toLsn: lsnFrom(0n), key, sizeBytes };
  }

  async #segmentRange(segment: SegmentName, key: string, sizeBytes: number): Promise<{ fromLsn: Lsn; toLsn: Lsn }> {
    this.#segmentSizeBytes ??= (await this.readHeader(this.#object(key, sizeBytes) as LogObject)).segmentSizeBytes;
    const fromLsn = startOf(segment, this.#segmentSizeBytes);
    return { fromLsn, toLsn: lsnFrom(lsnValue(fromLsn) + BigInt(this.#segmentSizeBytes)) };
  }

  /** Names are not trusted: the newest that opens counts. */
  async #newestMark(keys: readonly string[]): Promise<TimeMark | undefined> {
    const time = (key: string) => key.slice(key.lastIndexOf('/'));
    for (const key of [...keys].sort((a, b) => (time(a) < time(b) ? 1 : -1))) {
      try {
        return await this.#readMark(key);
      } catch (error) {
        if (!isHoldfastError(error, 'OBJECT_MISSING', 'OBJECT_DAMAGED')) throw error;
        this.#core.logger.warn({ copy: this.copy, key }, error.message);
      }
    }
    return undefined;
  }

  async #readMark(key: string): Promise<TimeMark> {
    const { header } = await getSealed(this.#copy.store, sealContext(this.#core, objectTypes.mark, key));
    const mark = markSchema.safeParse(header);
    return mark.success ? mark.data : fail('OBJECT_DAMAGED', `'${key}' on '${this.copy}' is no time mark`);
  }

  #contextOf(object: LogObject) {
    if (!object.key.startsWith(this.#prefix)) fail('INTERNAL', `'${object.key}' is not of this log`);
    return sealContext(this.#core, objectTypes[object.kind], object.key);
  }
}

function startOf(segment: SegmentName, segmentSizeBytes: number): Lsn {
  return segmentStart(parseSegmentName(segment, segmentSizeBytes).segment, segmentSizeBytes);
}

/** Refuses what a caller must not hand over, before it is stored for good; gives the segment. */
function checkLogBytes(header: LogHeader, bytes: Uint8Array): SegmentName {
  const length = lsnDistance(header.fromLsn, header.toLsn);
  const segment = segmentNameAt(header.timeline, header.fromLsn, header.segmentSizeBytes);
  const lastByte = lsnFrom(lsnValue(header.toLsn) - 1n);
  if (length <= 0 || length !== bytes.length || sha256Of(bytes) !== header.sha256) {
    fail('INTERNAL', `the header of log from ${header.fromLsn} does not fit its ${bytes.length} bytes`);
  }
  if (segmentNameAt(header.timeline, lastByte, header.segmentSizeBytes) !== segment) {
    fail('INTERNAL', `log from ${header.fromLsn} to ${header.toLsn} crosses a segment boundary`);
  }
  return segment;
}

/** The header must be that of the object's name: timeline, segment, and for an extent both ends. */
function checkLogHeader(object: LogObject, data: unknown): LogHeader {
  const parsed = headerSchema.safeParse(data);
  if (!parsed.success) fail('OBJECT_DAMAGED', `the header of '${object.key}' is not one`, { cause: parsed.error });
  const header = parsed.data as LogHeader;
  const segment = segmentNameAt(header.timeline, header.fromLsn, header.segmentSizeBytes);
  const fits =
    header.timeline === object.timeline &&
    segment === object.segment &&
    compareLsn(header.fromLsn, header.toLsn) < 0 &&
    (object.kind === 'segment' || (header.fromLsn === object.fromLsn && header.toLsn === object.toLsn));
  return fits ? header : fail('OBJECT_DAMAGED', `'${object.key}' is the log of another place`);
}
