// What Git is given of a capture: the text of every file and output without its secrets, a line for what it gets no more of, and modes and owners.

import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import ignore from 'ignore';
import { bytesOfText, pathOfText, shownPath } from '../domain/path-text.ts';
import { comesBefore, Telling } from '../files/index.ts';
import type { TreeEntry } from '../vault/index.ts';
import type { RanCommand } from './commands.ts';
import type { Original, Redactor } from './redaction/redactor.ts';
import { FILES, METADATA, OUTPUTS } from './repository/changes.ts';
import { isFitForGit, type KeptFile, type TextFile } from './repository/write-tree.ts';
import { SECRET_NAMES } from './secret-names.ts';
import type { ConfigurationSource, FoundSecret, Withheld } from './types.ts';

export interface TextsRequest {
  readonly source: Pick<ConfigurationSource, 'withhold' | 'largestTextBytes'>;
  /** Of the capture, in any order. */
  readonly entries: readonly TreeEntry[];
  readonly ran: readonly Pick<RanCommand, 'spec' | 'output' | 'because'>[];
  readonly redactor: Redactor;
  /** What the commit before has, by path. */
  readonly before: ReadonlyMap<string, KeptFile>;
}

export interface Texts {
  readonly files: readonly TextFile[];
  /** As the commit before has them. */
  readonly kept: readonly KeptFile[];
  readonly secrets: Telling<FoundSecret>;
  readonly withheld: Telling<Withheld>;
}

type Why = Withheld['why'];
/** A name in the commit, and what is to stand under it once secrets are out of all texts. */
interface Planned {
  readonly path: string;
  readonly kind: TextFile['kind'];
  readonly content: { readonly original: Original } | { readonly text: string };
}

const ATTEMPTS = 3;
/** All texts of one capture are in memory together: a secret of one is looked for in the others. */
const ALL_TEXTS_BYTES = 64 * 1024 * 1024;
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export async function textsOf(request: TextsRequest): Promise<Texts> {
  return await new TextsOfCapture(request).make();
}

class TextsOfCapture {
  readonly #request: TextsRequest;
  readonly #planned: Planned[] = [];
  readonly #kept: KeptFile[] = [];
  readonly #metadata: string[] = [];
  readonly #withheld = new Telling<Withheld>();
  readonly #secrets = new Telling<FoundSecret>();
  readonly #askedFor: ReturnType<typeof ignore>;
  readonly #secretNames = ignore({ ignorecase: true }).add([...SECRET_NAMES]);
  readonly #hashes = new Map<string, string | undefined>();
  readonly #read = new Map<string, Buffer | 'too large' | 'other'>();
  #bytes = 0;

  constructor(request: TextsRequest) {
    this.#request = request;
    this.#askedFor = ignore({ ignorecase: false }).add([...request.source.withhold]);
  }

  async make(): Promise<Texts> {
    const entries = [...this.#request.entries].sort((a, b) => (comesBefore(a.path, b.path) ? -1 : 1));
    for (const { path, type, sha256 } of entries) if (type === 'file') this.#hashes.set(path, sha256);
    await this.#readAll(entries);
    for (const entry of entries) this.#plan(entry);
    for (const ran of this.#request.ran) this.#planOutput(ran);
    const files = this.#redacted();
    const metadata = { path: METADATA, kind: 'text', content: this.#metadata.join('') } as const;
    return { files: [...files, metadata], kept: this.#kept, secrets: this.#secrets, withheld: this.#withheld };
  }

  /** Before anything is written: what is found in the last text may stand in the name of the first. */
  async #readAll(entries: readonly TreeEntry[]): Promise<void> {
    const originals: Original[] = [];
    const learn = (place: string, bytes: Buffer, path?: string) => {
      const text = bytes.length > ALL_TEXTS_BYTES ? undefined : textOfBytes(bytes);
      if (text !== undefined) originals.push({ place, text, ...(path !== undefined && { path }) });
    };
    for (const entry of entries) {
      const { path, type } = entry;
      const why = this.#reasonByName(entry);
      if ((type !== 'file' && type !== 'hardlink') || why === 'too large') continue;
      const read = await readAsCaptured(path, this.#hashOf(entry), this.#request.source.largestTextBytes);
      // Of one that is withheld nothing is shown, and what is in it is a secret elsewhere.
      if (why === undefined) this.#read.set(path, read);
      if (typeof read !== 'string') learn(path, read, path);
    }
    for (const { spec, output } of this.#request.ran) learn(`${OUTPUTS}${spec.name}`, output);
    this.#request.redactor.learn(originals);
  }

  #hashOf({ type, sha256, linkTarget }: TreeEntry): string | undefined {
    return type === 'file' ? sha256 : this.#hashes.get(linkTarget ?? '');
  }

  #plan(entry: TreeEntry): void {
    const { redactor } = this.#request;
    if (entry.type === 'hardlink' && !this.#hashes.has(entry.linkTarget ?? '')) return;
    const shown = redactor.words(entry.path, 'names');
    this.#metadata.push(metadataLine(entry, shown));
    if (entry.type !== 'file' && entry.type !== 'symlink' && entry.type !== 'hardlink') return;
    const path = `${FILES}${shown}`;
    if (!isFitForGit(path)) this.#withheld.add({ place: shown, why: 'name that Git cannot hold' });
    else if (entry.type !== 'symlink') this.#planFile(entry, path, shown);
    else {
      const text = redactor.words(entry.linkTarget ?? '', shown);
      this.#planned.push({ path, kind: 'link', content: { text } });
    }
  }

  #planFile(entry: TreeEntry, path: string, shown: string): void {
    const kind = (entry.mode & 0o111) === 0 ? 'text' : 'program';
    const digest = this.#hashOf(entry) ?? '';
    const why = this.#reasonByName(entry);
    const read = this.#read.get(entry.path) ?? 'other';
    if (why !== undefined) this.#withhold({ path, kind, shown, why, digest });
    else if (read === 'other') this.#keep(path, shown, 'changed while it was read');
    else if (read === 'too large') this.#withhold({ path, kind, shown, why: read, digest });
    else this.#planText({ path, kind, shown, bytes: read, treePath: entry.path });
  }

  #planOutput({ spec, output, because }: TextsRequest['ran'][number]): void {
    const path = `${OUTPUTS}${spec.name}`;
    if (because === undefined) {
      this.#planText({ path, kind: 'text', shown: path, bytes: output });
      return;
    }
    const before = this.#request.before.get(path);
    if (before) this.#kept.push(before);
    const text = `${this.#request.redactor.words(because, path)}\n`;
    this.#planned.push({ path: `${path}.failed`, kind: 'text', content: { text } });
  }

  #planText(text: {
    readonly path: string;
    readonly kind: TextFile['kind'];
    readonly shown: string;
    readonly bytes: Buffer;
    readonly treePath?: string;
  }): void {
    const { path, kind, shown, bytes, treePath } = text;
    const isTooMuch =
      bytes.length > this.#request.source.largestTextBytes || this.#bytes + bytes.length > ALL_TEXTS_BYTES;
    const decoded = textOfBytes(bytes);
    if (isTooMuch || decoded === undefined) {
      const why = isTooMuch ? 'too large' : 'not text';
      this.#withhold({ path, kind, shown, why, digest: createHash('sha256').update(bytes).digest('hex') });
      return;
    }
    this.#bytes += bytes.length;
    const original = { place: shown, text: decoded, ...(treePath !== undefined && { path: treePath }) };
    this.#planned.push({ path, kind, content: { original } });
  }

  #redacted(): TextFile[] {
    const { redactor } = this.#request;
    const originals = this.#planned.flatMap(({ content }) => ('original' in content ? [content.original] : []));
    const redacted = redactor.redact(originals);
    let next = 0;
    return this.#planned.map(({ path, kind, content }) => {
      if ('text' in content) return { path, kind, content: kind === 'link' ? bytesOfText(content.text) : content.text };
      const result = redacted[next++] as (typeof redacted)[number];
      if ('tooLong' in result) {
        this.#withheld.add({ place: result.place, why: 'pattern takes too long' });
        return { path, kind, content: placeholder('pattern takes too long') };
      }
      for (const secret of result.secrets) this.#secrets.add(secret);
      return { path, kind, content: result.text };
    });
  }

  #reasonByName({ path, sizeBytes }: TreeEntry): Why | undefined {
    if (sizeBytes > this.#request.source.largestTextBytes) return 'too large';
    if (this.#askedFor.ignores(path)) return 'asked for';
    return this.#secretNames.ignores(path) ? 'name of a secret file' : undefined;
  }

  /** `digest`: of the content; it shows in no other form than keyed. */
  #withhold(file: {
    readonly path: string;
    readonly kind: TextFile['kind'];
    readonly shown: string;
    readonly why: Why;
    readonly digest: string;
  }): void {
    const { path, kind, shown, why, digest } = file;
    this.#withheld.add({ place: shown, why });
    const text = placeholder(why, this.#request.redactor.digits(digest, shown));
    this.#planned.push({ path, kind, content: { text } });
  }

  #keep(path: string, shown: string, why: Why): void {
    this.#withheld.add({ place: shown, why });
    const before = this.#request.before.get(path);
    if (before) this.#kept.push(before);
  }
}

function placeholder(why: Why, digits?: string): string {
  return `[withheld: ${why}${digits === undefined ? '' : ` ${digits}`}]\n`;
}

function metadataLine({ type, mode, user, uid, group, gid, linkTarget }: TreeEntry, shown: string): string {
  const what = `${type} ${mode.toString(8).padStart(4, '0')} ${user ?? uid ?? '-'}:${group ?? gid ?? '-'}`;
  const link = type === 'hardlink' ? ` = /${shownPath(linkTarget ?? '')}` : '';
  return `${what} /${shownPath(shown)}${link}\n`;
}

export function textOfBytes(bytes: Uint8Array): string | undefined {
  if (bytes.includes(0)) return undefined;
  try {
    return strict.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The bytes that were captured, or that they are not there any more: a commit never shows what its snapshot does not hold. */
async function readAsCaptured(
  path: string,
  sha256: string | undefined,
  largestBytes: number,
): Promise<Buffer | 'too large' | 'other'> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const bytes = await readFileAt(path, largestBytes);
    if (bytes === 'too large') return bytes;
    if (bytes !== undefined && createHash('sha256').update(bytes).digest('hex') === sha256) return bytes;
  }
  return 'other';
}

async function readFileAt(path: string, largestBytes: number): Promise<Buffer | 'too large' | undefined> {
  // Who exchanges a file for a pipe must not make us wait for its other end.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const file = await open(pathOfText(`/${path}`), flags).catch(() => undefined);
  if (!file) return undefined;
  try {
    const info = await file.stat();
    if (!info.isFile()) return undefined;
    if (info.size > largestBytes) return 'too large';
    return await file.readFile();
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}
