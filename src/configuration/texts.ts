// What Git is given of a capture: the text of every file and output without its secrets, a line for what it gets no more of, and modes and owners.

import { createHash } from 'node:crypto';
import { bytesOfText, shownPath } from '../domain/path-text.ts';
import { isWithheldByMishap } from '../domain/snapshot-words.ts';
import { comesBefore, Telling, type Told } from '../files/index.ts';
import type { TreeEntry } from '../vault/index.ts';
import type { RanCommand } from './commands.ts';
import { LinksInTree } from './links-in-tree.ts';
import { LookedTexts, type Why } from './looked-texts.ts';
import type { Redaction } from './redaction/redaction.ts';
import type { Span } from './redaction/span.ts';
import { FILES, METADATA, OUTPUTS } from './repository/changes.ts';
import { unfitForGit } from './repository/names-of-git.ts';
import type { KeptFile, TextFile } from './repository/write-tree.ts';
import type { ConfigurationSource, FoundSecret, Withheld } from './types.ts';
import { WithheldNames } from './withheld-names.ts';

export interface TextsRequest {
  readonly source: Pick<ConfigurationSource, 'withhold' | 'largestTextBytes' | 'ownSecrets'>;
  /** Of the capture, in any order. */
  readonly entries: readonly TreeEntry[];
  readonly ran: readonly Pick<RanCommand, 'spec' | 'output' | 'because'>[];
  readonly redaction: Redaction;
  /** What the commit before has, by path. */
  readonly before: ReadonlyMap<string, KeptFile>;
  /** Told after each text that was looked through. */
  readonly onText?: (texts: number) => void;
}

export interface Texts {
  readonly files: readonly TextFile[];
  /** As the commit before has them. */
  readonly kept: readonly KeptFile[];
  readonly secrets: Told<FoundSecret>;
  /** What somebody can mend comes first: a list is cut short. */
  readonly withheld: Told<Withheld>;
  /** In words, why nothing of this may become a commit: too many names took too long, or secrets of our own are not known. */
  readonly unfit?: string;
}

/** All of them: which, would be one of them. */
const NAMES: Withheld = { place: 'names of files', why: 'takes too long to look through' };

/** A name in the commit, and what is to stand under it once secrets are out of all texts. */
interface Planned {
  readonly path: string;
  readonly kind: TextFile['kind'];
  /** For people. */
  readonly shown: string;
  readonly content: { readonly text: string; readonly spans: readonly Span[] } | { readonly shownText: string };
}

/** Throws `CANCELLED` as the redaction does. */
export async function textsOf(request: TextsRequest): Promise<Texts> {
  return await new TextsOfCapture(request).make();
}

class TextsOfCapture {
  readonly #request: TextsRequest;
  readonly #looked: LookedTexts;
  readonly #planned: Planned[] = [];
  readonly #kept: KeptFile[] = [];
  readonly #metadata: string[] = [];
  readonly #withheld = new Telling<Withheld>();
  readonly #mishaps = new Telling<Withheld>();
  readonly #secrets = new Telling<FoundSecret>();
  readonly #names: WithheldNames;
  /** Of each file, by its path: what a hard link leads to. */
  readonly #files = new Map<string, TreeEntry>();
  readonly #paths = new Set<string>();

  constructor(request: TextsRequest) {
    this.#request = request;
    const { redaction, source, onText } = request;
    const largestBytes = source.largestTextBytes;
    this.#looked = new LookedTexts({ redaction, largestBytes, ...(onText && { onText }) });
    this.#names = new WithheldNames(source.withhold, source.ownSecrets?.contents);
  }

  async make(): Promise<Texts> {
    const entries = [...this.#request.entries].sort((a, b) => (comesBefore(a.path, b.path) ? -1 : 1));
    for (const entry of entries) if (entry.type === 'file') this.#files.set(entry.path, entry);
    this.#noteNames(entries);
    // Before anything is written: what is found in the last text may stand in the name of the first.
    for (const entry of entries) await this.#look(entry);
    for (const { spec, output } of this.#request.ran) await this.#looked.output(`${OUTPUTS}${spec.name}`, output);
    for (const entry of entries) await this.#plan(entry);
    for (const ran of this.#request.ran) await this.#planOutput(ran);
    const files: TextFile[] = [];
    for (const planned of this.#planned) files.push(await this.#redacted(planned));
    files.push({ path: METADATA, kind: 'text', content: this.#metadata.join('') });
    const texts = { files, kept: this.#kept, secrets: this.#secrets.told };
    const unfit = this.#unfit;
    return unfit
      ? { ...texts, unfit: unfit.because, withheld: unfit.told }
      : { ...texts, withheld: this.#toldWithheld };
  }

  get #unfit(): { readonly because: string; readonly told: Told<Withheld> } | undefined {
    const { redaction, source } = this.#request;
    const unread = source.ownSecrets?.unread ?? [];
    if (unread.length > 0) {
      const told = new Telling<Withheld>();
      for (const file of unread)
        told.add({ place: file.replace(/^\//, ''), why: 'secret of our own that cannot be read' });
      return { because: 'a secret of our own could not be read', told: told.told };
    }
    if (!redaction.hasGivenUpWords) return undefined;
    return { because: 'names could not be looked through', told: { count: 1, first: [NAMES] } };
  }

  get #toldWithheld(): Told<Withheld> {
    const [mishaps, others] = [this.#mishaps.told, this.#withheld.told];
    return { count: mishaps.count + others.count, first: [...mishaps.first, ...others.first] };
  }

  #noteNames(entries: readonly TreeEntry[]): void {
    const links = new LinksInTree(entries);
    this.#names.noteAll(
      entries.map((entry) => {
        const leadsTo = entry.type === 'symlink' ? links.placeOf(entry.path) : undefined;
        return { path: entry.path, file: this.#fileOf(entry), ...(leadsTo !== undefined && { leadsTo }) };
      }),
    );
  }

  #tellWithheld(place: string, why: Why): void {
    (isWithheldByMishap(why) ? this.#mishaps : this.#withheld).add({ place, why });
  }

  /** The file itself, also under the name of a hard link. */
  #fileOf({ type, path, linkTarget }: TreeEntry): TreeEntry | undefined {
    if (type !== 'file' && type !== 'hardlink') return undefined;
    return this.#files.get(type === 'file' ? path : (linkTarget ?? ''));
  }

  async #look(entry: TreeEntry): Promise<void> {
    const file = this.#fileOf(entry);
    if (file) await this.#looked.file(entry.path, file, this.#names.reasonFor(entry.path, file));
  }

  /** Without what looks like a secret, or was found to be one. */
  async #shownName(path: string): Promise<string> {
    return await this.#request.redaction.words({ text: path, place: 'names', path, splitAt: '/' });
  }

  async #plan(entry: TreeEntry): Promise<void> {
    const { type, path: treePath, mode, linkTarget = '' } = entry;
    const file = this.#fileOf(entry);
    if (type === 'hardlink' && !file) return;
    const shown = await this.#shownName(treePath);
    this.#metadata.push(
      metadataLine(entry, shown, type === 'hardlink' ? await this.#shownName(linkTarget) : undefined),
    );
    if (!file && type !== 'symlink') return;
    const unfit = unfitForGit(shown);
    if (unfit !== undefined) {
      this.#tellWithheld(shown, unfit);
      return;
    }
    const path = this.#pathFor(`${FILES}${shown}`);
    if (file) this.#planFile({ path, shown, kind: (mode & 0o111) === 0 ? 'text' : 'program' }, treePath, file);
    else {
      const target = { text: linkTarget, place: shown, path: treePath, splitAt: '/' } as const;
      const shownText = await this.#request.redaction.words(target);
      this.#planned.push({ path, kind: 'link', shown, content: { shownText } });
    }
  }

  /** Two names may come to be one by what was taken out of them. */
  #pathFor(path: string): string {
    let free = path;
    for (let number = 2; this.#paths.has(free); number++) free = `${path}~${number}`;
    this.#paths.add(free);
    return free;
  }

  #planFile(named: Omit<Planned, 'content'>, treePath: string, { sha256 = '', sizeBytes }: TreeEntry): void {
    const looked = this.#looked.of(treePath);
    if ('text' in looked) this.#planned.push({ ...named, content: looked });
    else if (looked.why === 'changed while it was read') this.#keep(named, looked.why);
    else this.#withhold(named, looked.why, sha256, sizeBytes);
  }

  async #planOutput({ spec, output, because }: TextsRequest['ran'][number]): Promise<void> {
    const path = `${OUTPUTS}${spec.name}`;
    const named = { path, kind: 'text', shown: path } as const;
    if (because === undefined) {
      const looked = this.#looked.of(path);
      if ('text' in looked) this.#planned.push({ ...named, content: looked });
      else this.#withhold(named, looked.why, createHash('sha256').update(output).digest('hex'), output.length);
      return;
    }
    const before = this.#request.before.get(path);
    if (before) this.#kept.push(before);
    const shownText = `${await this.#request.redaction.words({ text: because, place: path })}\n`;
    this.#planned.push({ ...named, path: `${path}.failed`, content: { shownText } });
  }

  async #redacted({ path, kind, shown, content }: Planned): Promise<TextFile> {
    if ('shownText' in content)
      return { path, kind, content: kind === 'link' ? bytesOfText(content.shownText) : content.shownText };
    const { redaction } = this.#request;
    const result = await redaction.write({ place: shown, text: content.text }, content.spans);
    if ('unlooked' in result) {
      this.#tellWithheld(shown, result.unlooked);
      return { path, kind, content: placeholder(result.unlooked, redaction.digits(content.text, shown)) };
    }
    for (const secret of result.secrets) this.#secrets.add(secret);
    return { path, kind, content: result.text };
  }

  /** `digest`: of the content; it shows in no other form than keyed. */
  #withhold({ path, kind, shown }: Omit<Planned, 'content'>, why: Why, digest: string, sizeBytes: number): void {
    this.#tellWithheld(shown, why);
    // Of what is a secret as a whole, its size might tell how long a password is.
    const words = why === 'too large' ? `${why}, ${sizeBytes} bytes` : why;
    const shownText = placeholder(words, this.#request.redaction.digits(digest, shown));
    this.#planned.push({ path, kind, shown, content: { shownText } });
  }

  #keep({ path, shown }: Omit<Planned, 'content'>, why: Why): void {
    this.#tellWithheld(shown, why);
    const before = this.#request.before.get(path);
    if (before) this.#kept.push(before);
  }
}

function placeholder(words: string, digits: string): string {
  return `[withheld: ${words} ${digits}]\n`;
}

/** `leader`: of a hard link, shown. */
function metadataLine({ type, mode, user, uid, group, gid }: TreeEntry, shown: string, leader?: string): string {
  const what = `${type} ${mode.toString(8).padStart(4, '0')} ${user ?? uid ?? '-'}:${group ?? gid ?? '-'}`;
  const link = leader === undefined ? '' : ` = /${shownPath(leader)}`;
  return `${what} /${shownPath(shown)}${link}\n`;
}
