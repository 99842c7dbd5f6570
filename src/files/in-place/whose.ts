// Whose doing it is that a name is not what the snapshot has: by the time of its inode, which no program can set, and by what this run has noted of it.

import { closeSync } from 'node:fs';
import { lstat } from 'node:fs/promises';
import { shownPath } from '../../domain/path-text.ts';
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
  /** It lies where this run alone works. */
  readonly isCertain?: true;
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
  /** The same for the beginning of the exchange, by the first attempt. */
  readonly fromNs: bigint;
  /** An earlier attempt was cut off in the exchange: others had all the time until the next one. */
  readonly isResumed: boolean;
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

  /**
   * Of a directory: whether others have put another one in its place, which may hold whatever they like; undefined where nothing tells. `aroundNs`: when the
   * directory that it is in was changed last.
   */
  isExchanged({ below, found, brought, change }: Name, aroundNs: bigint | undefined): boolean | undefined {
    if (below === '' || found?.type !== 'directory') return undefined;
    const inode = brought?.inode ?? change?.inode;
    if (inode !== undefined) return `${found.inode}` !== inode;
    const { beganNs } = this.#options;
    // A rename changes the one that gets the name, and the one that it is in.
    return (found.ctimeNs >= beganNs && (aroundNs ?? beganNs) >= beganNs) || undefined;
  }

  /** In words, when it is not what this run gave it, and nobody has touched the directory since the exchange. */
  async directoryTime(name: Name): Promise<string | undefined> {
    const { brought, change, found, path } = name;
    // One that only leads to what is wanted keeps the time that it had, not that of the snapshot.
    const given = brought?.mtimeNs ?? change?.after?.mtimeNs;
    if (found?.type !== 'directory' || given === undefined) return undefined;
    if (this.#options.given.isTimeAsGiven(path, BigInt(given), found.mtimeNs)) return undefined;
    return (await this.#isUntouched(name, this.#options.doneNs)) ? `/${shownPath(path)} differs in time` : undefined;
  }

  /** Of what is there and not in the snapshot; `isInTheirs`: in a directory that others have made or moved here. */
  async surplus(name: Name, isInTheirs: boolean): Promise<Difference> {
    const { found, change, brought, path } = name;
    const { beganNs, fromNs, doneNs } = this.#options;
    const words = `/${shownPath(path)} is not in the snapshot`;
    const inode = `${found?.inode}`;
    if (isInTheirs) return { words, isOurs: false, isName: true };
    if (brought?.inode === inode) return await this.#since(name, 'is not in the snapshot', doneNs);
    const isListed = change !== undefined && (change.inode === undefined || change.inode === inode);
    // A directory in which others had a name for a moment could not go.
    if (isListed)
      return await this.#since(name, 'is not in the snapshot', found?.type === 'directory' ? fromNs : doneNs);
    const isOurs = await this.#isUntouched(name, beganNs);
    const isSuspect = !isOurs && (await this.#isUntouched(name, fromNs));
    return { words, isOurs, isName: true, ...(isSuspect && { suspect: inode }) };
  }

  /** Whether the name still stands for what was brought in under it. */
  async isInPlace(below: string, inode: string): Promise<boolean> {
    const found = await lookAtPlace(placeOf(this.#options.root, below));
    return `${found?.ino}` === inode;
  }

  async #broughtIn(name: Name, brought: Brought): Promise<Difference | undefined> {
    const { found, change, below, path } = name;
    const { fromNs, doneNs, isResumed } = this.#options;
    if (found && `${found.inode}` === brought.inode) {
      const isWritten = found.type !== 'directory' && isOther(found, brought);
      return await this.#differing(name, async (aspects) => {
        const untilNs = isResumed && !aspects.includes('content') ? fromNs : doneNs;
        return !isWritten && (await this.#isUntouched(name, untilNs));
      });
    }
    // Nobody else can have put it back where it was staged.
    if (this.#isWaiting(below, brought)) {
      return { words: `/${shownPath(path)} was not brought in`, isOurs: true, isName: true, isCertain: true };
    }
    // From the first rename on others may take it away, or give its name to something else.
    if (!found) return await this.#since(name, 'is missing', fromNs);
    const words = `/${shownPath(path)} is another one`;
    const isOld = change?.inode === `${found.inode}`;
    if (isOld && (await this.#isUntouched(name, doneNs))) return { words, isOurs: true, isName: true };
    const isSuspect = await this.#isUntouched(name, fromNs);
    return { words, isOurs: false, isName: true, ...(isSuspect && { suspect: `${found.inode}` }) };
  }

  async #differing(
    name: Name,
    isOurs: (aspects: readonly Aspect[]) => Promise<boolean>,
  ): Promise<Difference | undefined> {
    const aspects = this.#aspects(name);
    const isDirectory = name.entry?.type === 'directory' && name.found?.type === 'directory';
    // The time of one that this run has touched is told when all that is in it was looked at.
    const isLater = (aspect: Aspect) => isDirectory && aspect === 'time' && isTouched(name);
    const certain = aspects.filter((aspect) => aspect !== 'content?' && !isLater(aspect));
    const isOther = !isDirectory && (await this.#isOtherInBytes(name, aspects));
    const told: readonly Aspect[] = isOther ? ['content', ...certain] : certain;
    if (told.length === 0) return undefined;
    const isTimeAlone = isDirectory && told.every((aspect) => aspect === 'time');
    return {
      words: `/${shownPath(name.path)} differs in ${told.join(', ')}`,
      isOurs: !isTimeAlone && (await isOurs(told)),
    };
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
    return { words: `/${shownPath(path)} ${what}`, isOurs: await this.#isUntouched({ below }, ns), isName: true };
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
