// Whose doing it is that a name is not what the snapshot has: by the time of its inode, which no program can set, and by what this run has noted of it.

import { closeSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import type { TreeEntry } from '../../vault/index.ts';
import type { Aspect } from '../compare/differences.ts';
import type { Found } from '../scan/found.ts';
import type { AsGiven } from './as-given.ts';
import type { Brought } from './brought.ts';
import { type Change, placeOf, typeOf } from './change.ts';
import { sha256Of } from './options.ts';
import { Ways } from './ways.ts';

/** A name in the root: what is wanted, what is there, and what this run did to it. */
export interface Name {
  /** As entries have it. */
  readonly path: string;
  /** Below the root. */
  readonly below: string;
  readonly entry: TreeEntry | undefined;
  readonly found: Found | undefined;
  readonly change: Change | undefined;
  readonly brought: Brought | undefined;
}

export interface Difference {
  readonly words: string;
  readonly isOurs: boolean;
  /** Its name was made, taken away, or given to something else. */
  readonly isName?: true;
  /** Inode of what is there, where that may be something that this run brought for another name. */
  readonly suspect?: string;
}

interface JudgeOptions {
  readonly root: string;
  /** Of the directory that what comes in was staged in; closed by `close`. */
  readonly staged: number;
  readonly shown: string;
  readonly given: AsGiven;
  /** By the clock of the file system: what was changed later than this was not like that when the changes were listed. */
  readonly beganNs: bigint;
  /** The same for the end of the exchange: what was changed later was changed by others. */
  readonly doneNs: bigint;
}

export class Judge {
  readonly #options: JudgeOptions;
  readonly #staged: Ways;
  /** By the first name of a file with several: others link to it. */
  readonly #leaders = new Map<string, string>();

  constructor(options: JudgeOptions) {
    this.#options = options;
    this.#staged = new Ways(options.staged, options.shown);
  }

  close(): void {
    this.#staged.close();
    closeSync(this.#options.staged);
  }

  /** Of a name that is wanted, but for the time of a directory that this run has touched. */
  async entry(name: Name): Promise<Difference | undefined> {
    const { entry, found, brought, change } = name;
    if (entry?.type === 'file' && found && found.links > 1n) this.#leaders.set(name.path, `${found.inode}`);
    // Not made, and told when it was staged.
    if (entry?.type === 'device' && !brought && !found) return undefined;
    if (brought) return await this.#broughtIn(name, brought);
    const { beganNs, doneNs } = this.#options;
    if (!found) return await this.#since(name, 'is missing', beganNs);
    const isSettled = change?.kind === 'settle';
    if (isSettled && isWrittenSince(found, change)) return await this.#differing(name, () => Promise.resolve(false));
    return await this.#differing(name, () => this.#isUntouched(name, isSettled ? doneNs : beganNs));
  }

  /** In words, when it is not what this run gave it, and nobody has touched the directory since the exchange; others who wrote into it right before are known by what they wrote. */
  async directoryTime(name: Name): Promise<string | undefined> {
    const { brought, change, found, path } = name;
    // One that only leads to what is wanted keeps the time that it had, not that of the snapshot.
    const given = brought?.mtimeNs ?? change?.after?.mtimeNs;
    if (found?.type !== 'directory' || given === undefined) return undefined;
    if (this.#options.given.isTimeAsGiven(path, BigInt(given), found.mtimeNs)) return undefined;
    return (await this.#isUntouched(name, this.#options.doneNs)) ? `/${path} differs in time` : undefined;
  }

  /** Of what is there and not in the snapshot; `isInTheirs`: in a directory that others have made or moved here. */
  async surplus(name: Name, isInTheirs: boolean): Promise<Difference> {
    const { found, change, brought, path } = name;
    const { beganNs, doneNs } = this.#options;
    const words = `/${path} is not in the snapshot`;
    const inode = `${found?.inode}`;
    if (brought?.inode === inode) return await this.#since(name, 'is not in the snapshot', doneNs);
    const isListed = change !== undefined && (change.inode === undefined || change.inode === inode);
    if (isListed) return await this.#since(name, 'is not in the snapshot', doneNs);
    if (isInTheirs) return { words, isOurs: false, isName: true };
    const isOurs = await this.#isUntouched(name, beganNs);
    const isSuspect = !isOurs && (await this.#isUntouched(name, doneNs));
    return { words, isOurs, isName: true, ...(isSuspect && { suspect: inode }) };
  }

  /** Whether the name still stands for what was brought in under it. */
  async isInPlace(below: string, inode: string): Promise<boolean> {
    const found = await lookAtPlace(placeOf(this.#options.root, below));
    return `${found?.ino}` === inode;
  }

  async #broughtIn(name: Name, brought: Brought): Promise<Difference | undefined> {
    const { found, change, below, path } = name;
    const { doneNs } = this.#options;
    if (found && `${found.inode}` === brought.inode) {
      const isWritten = found.type !== 'directory' && isOther(found, brought);
      return await this.#differing(name, async () => !isWritten && (await this.#isUntouched(name, doneNs)));
    }
    // Nobody else can have put it back where it was staged.
    if (this.#isWaiting(below, brought)) return { words: `/${path} was not brought in`, isOurs: true, isName: true };
    if (!found) return await this.#since(name, 'is missing', doneNs);
    const isUntouched = await this.#isUntouched(name, doneNs);
    const words = `/${path} is another one`;
    if (isUntouched && change?.inode === `${found.inode}`) return { words, isOurs: true, isName: true };
    return { words, isOurs: false, isName: true, ...(isUntouched && { suspect: `${found.inode}` }) };
  }

  async #differing(name: Name, isOurs: () => Promise<boolean>): Promise<Difference | undefined> {
    const aspects = this.#aspects(name);
    const isDirectory = name.entry?.type === 'directory' && name.found?.type === 'directory';
    // The time of one that this run has touched is judged by what is in it.
    const isLater = (aspect: Aspect) => isDirectory && aspect === 'time' && isTouched(name);
    const certain = aspects.filter((aspect) => aspect !== 'content?' && !isLater(aspect));
    const isOther = !isDirectory && (await this.#isOtherInBytes(name, aspects));
    const told = isOther ? ['content', ...certain] : certain;
    if (told.length === 0) return undefined;
    return { words: `/${name.path} differs in ${told.join(', ')}`, isOurs: await isOurs() };
  }

  /** What came in is read; of the rest what was touched since: it was compared when the changes were listed. */
  async #isOtherInBytes({ entry, found, brought, below }: Name, aspects: readonly Aspect[]): Promise<boolean> {
    if (entry?.type !== 'file' || entry.sha256 === undefined || found?.type !== 'file') return false;
    if (aspects.includes('content')) return false;
    const isDoubtful = aspects.includes('content?') && found.ctimeNs >= this.#options.beganNs;
    if (!brought && !isDoubtful) return false;
    return (await sha256Of(placeOf(this.#options.root, below))) !== entry.sha256;
  }

  #aspects({ path, below, entry, found, brought, change }: Name): readonly Aspect[] {
    const { root, given } = this.#options;
    if (!entry || !found) return [];
    if (entry.type === 'hardlink') return this.#linkAspects(entry, found, brought);
    return given.aspects(path, entry, found, placeOf(root, below), brought !== undefined || change?.kind === 'settle');
  }

  /** One that was brought in is known by its inode. */
  #linkAspects({ linkTarget = '' }: TreeEntry, found: Found, brought: Brought | undefined): readonly Aspect[] {
    if (typeOf(found) === 'directory') return ['type'];
    const leader = this.#leaders.get(linkTarget);
    const isOne = brought !== undefined || leader === undefined || leader === `${found.inode}`;
    return isOne && found.links > 1n ? [] : ['target'];
  }

  #isWaiting(below: string, { inode }: Brought): boolean {
    return `${this.#staged.look(below)?.ino}` === inode;
  }

  async #since({ path, below }: Pick<Name, 'path' | 'below'>, what: string, ns: bigint): Promise<Difference> {
    return { words: `/${path} ${what}`, isOurs: await this.#isUntouched({ below }, ns), isName: true };
  }

  /** Looked at anew: nobody has changed it since, nor, where it is not there, the directory that is left of the way to it. */
  async #isUntouched({ below }: Pick<Name, 'below'>, ns: bigint): Promise<boolean> {
    for (let at = below; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/')))) {
      const found = await lookAtPlace(placeOf(this.#options.root, at));
      if (found) return found.ctimeNs < ns;
      if (at === '') return false;
    }
  }
}

async function lookAtPlace(place: string | Buffer) {
  try {
    return await lstat(place, { bigint: true });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function isTouched({ brought, change }: Name): boolean {
  return brought !== undefined || change !== undefined;
}

function isOther(found: Found, { sizeBytes, mtimeNs }: Brought): boolean {
  return found.sizeBytes !== sizeBytes || `${found.mtimeNs}` !== mtimeNs;
}

/** Of what was settled: it is another one, or was written to, which is left as it is. A directory always gets what it had. */
function isWrittenSince(found: Found, { type, inode, amount, before, after }: Change): boolean {
  if (type === 'directory') return false;
  if (inode !== undefined && `${found.inode}` !== inode) return true;
  const times = [before?.mtimeNs, after?.mtimeNs];
  return !times.includes(`${found.mtimeNs}`) || (found.type === 'file' && found.sizeBytes !== amount.bytes);
}
