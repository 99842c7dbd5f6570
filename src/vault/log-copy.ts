// The log of one database cluster on one copy: closed segments, extents of the open one, time marks, history files.

import type { ComponentId } from '../domain/component.ts';
import { compareLsn, type Lsn, lsnDistance, lsnFrom, lsnValue, type SegmentName } from '../domain/lsn.ts';
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
  isKeptKey,
  type LogName,
  logPrefix,
  markKey,
  marksPrefix,
  parseLogName,
  segmentKey,
  timelinePart,
} from './layout.ts';
import { checkLength, checkLogHeader, markSchema, segmentOf, startOf } from './log-header.ts';
import { LogSealer } from './log-sealer.ts';
import { sha256Of } from './manifest.ts';
import { namedOn } from './retention/named.ts';
import { objectTypes, seal } from './sealed.ts';
import type {
  LogCopy,
  LogFacts,
  LogHeader,
  LogListing,
  LogObject,
  LogVerification,
  OpenedLog,
  SealedLog,
  TimeMark,
} from './types.ts';
import { getThrough, type ReadVersion, readThrough } from './versions.ts';

/** Headers read at once when extents are dropped. */
const WIDTH = 8;

/** A store that holds no vault, as a disk that is not mounted, gets nothing, and that nothing is there says nothing. */
export class VaultLogCopy implements LogCopy {
  readonly copy: string;
  readonly #core: VaultCore;
  readonly #copy: Copy;
  readonly #prefix: string;
  readonly #sealer: LogSealer;
  /** Set by `initdb` for the life of a cluster; learned from the first object. */
  #segmentSizeBytes: number | undefined;

  /** `sealer`: shared by those who store much. */
  constructor(core: VaultCore, component: ComponentId, systemId: string, copy: Copy, sealer = new LogSealer()) {
    if (!/^\d{1,20}$/.test(systemId)) fail('INTERNAL', `'${systemId}' is not a system identifier`);
    this.#core = core;
    this.#copy = copy;
    this.copy = copy.description.name;
    this.#prefix = logPrefix(component, systemId);
    this.#sealer = sealer;
  }

  async putSegment(header: LogHeader, bytes: Uint8Array): Promise<void> {
    await this.#putPlain('segment', header, bytes);
  }

  async putExtent(header: LogHeader, bytes: Uint8Array): Promise<void> {
    await this.#putPlain('extent', header, bytes);
  }

  async seal(kind: SealedLog['kind'], facts: LogFacts, bytes: Buffer): Promise<SealedLog> {
    const context = sealContext(this.#core, objectTypes[kind], this.#keyFor(kind, facts));
    checkLength(facts, bytes);
    const { sealed, sha256 } = await this.#sealer.seal(context, facts, bytes);
    return { kind, header: { ...facts, sha256 }, bytes, sealed };
  }

  async put({ kind, header, sealed }: SealedLog): Promise<void> {
    await this.#requireVault();
    await this.#putSealed(kind, header, sealed);
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
    const { header, body: bytes } = await getSealed(this.#copy.store, this.#contextOf(object));
    return { header: this.#checked(object, { header, length: bytes.length, sha256: sha256Of(bytes) }), bytes };
  }

  async verify(object: LogObject, { open, into }: LogVerification): Promise<void> {
    const context = this.#contextOf(object);
    const read = async (get: ReadVersion) => open(context, await get());
    this.#checked(object, await readThrough(this.#copy.store, object.key, read, { into }));
  }

  #checked(object: LogObject, { header: data, length, sha256 }: OpenedLog): LogHeader {
    const header = checkLogHeader(object, data);
    if (length === lsnDistance(header.fromLsn, header.toLsn) && sha256 === header.sha256) return header;
    return fail('OBJECT_DAMAGED', `'${object.key}' on '${this.copy}' does not hold the log that it says`);
  }

  async readHistory(timeline: number): Promise<string> {
    const key = historyKey(this.#prefix, timeline);
    const { body } = await getSealed(this.#copy.store, sealContext(this.#core, objectTypes.history, key));
    return body.toString();
  }

  async dropExtents(segment: SegmentName, put?: SealedLog): Promise<void> {
    const closedKey = segmentKey(this.#prefix, segment);
    const superseded: string[] = [];
    const listed = (await listAll(this.#copy.store, `${closedKey}.`)).map((info) =>
      this.#object(info.key, info.sizeBytes),
    );
    const extents = listed.filter((object) => object?.kind === 'extent' && object.segment === segment) as LogObject[];
    if (extents.length === 0) return;
    const timeline = Number.parseInt(segment.slice(0, 8), 16);
    const closedObject = { kind: 'segment', timeline, segment, key: closedKey } as const;
    const closed =
      put !== undefined && (await this.#isStored(closedKey, put))
        ? put
        : await this.read({ ...closedObject, fromLsn: lsnFrom(0n), toLsn: lsnFrom(0n), sizeBytes: 0 });
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

  async #putPlain(kind: SealedLog['kind'], header: LogHeader, bytes: Uint8Array): Promise<void> {
    const key = this.#keyFor(kind, header);
    checkLength(header, bytes);
    if (sha256Of(bytes) !== header.sha256) {
      fail('INTERNAL', `the header of log from ${header.fromLsn} does not fit its ${bytes.length} bytes`);
    }
    await this.#requireVault();
    await this.#putSealed(kind, header, await seal(sealContext(this.#core, objectTypes[kind], key), header, bytes));
  }

  async #putSealed(kind: SealedLog['kind'], header: LogHeader, sealed: Buffer): Promise<void> {
    const key = this.#keyFor(kind, header);
    try {
      await this.#copy.store.put(key, sealed, { keep: isKeptKey(key) });
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

  /** Whether these very bytes are there: another attempt may have put the same log sealed otherwise. */
  async #isStored(key: string, { sealed }: SealedLog): Promise<boolean> {
    const same = (there: Buffer) => there.equals(sealed) || fail('OBJECT_DAMAGED', `'${key}' is sealed otherwise`);
    try {
      await getThrough(this.#copy.store, key, same);
      return true;
    } catch (error) {
      if (!isHoldfastError(error, 'OBJECT_DAMAGED', 'OBJECT_MISSING')) throw error;
      return false;
    }
  }

  /** Refuses what a caller must not hand over, before it is stored for good. */
  #keyFor(kind: SealedLog['kind'], facts: LogFacts): string {
    const segment = segmentOf(facts);
    if (kind === 'extent') return extentKey(this.#prefix, segment, facts.fromLsn, facts.toLsn);
    if (facts.fromLsn !== startOf(segment, facts.segmentSizeBytes)) {
      fail('INTERNAL', `segment '${segment}' must begin at its first byte, got ${facts.fromLsn}`);
    }
    return segmentKey(this.#prefix, segment);
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
