// What has a name that it should not have, and may be something that a run brought in for another name: few, and known by inode until the list of what came in was read.

/** A tree that others write to has a few of them; more are taken for others'. */
const MOST = 10_000;

export interface Suspect {
  readonly below: string;
  readonly words: string;
}

export class Suspects {
  readonly #byInode = new Map<string, Suspect>();

  /** False where there is no room for another one. */
  add(inode: string, suspect: Suspect): boolean {
    if (this.#byInode.size >= MOST || this.#byInode.has(inode)) return false;
    this.#byInode.set(inode, suspect);
    return true;
  }

  get(inode: string): Suspect | undefined {
    return this.#byInode.get(inode);
  }

  take(inode: string): void {
    this.#byInode.delete(inode);
  }

  rest(): Iterable<Suspect> {
    return this.#byInode.values();
  }
}
