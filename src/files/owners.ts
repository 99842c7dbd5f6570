// Names of users and groups beside their numbers: a tree that is given back on another host is given to the same people.

import { run } from '../process/index.ts';
import type { TreeEntry } from '../vault/index.ts';

type Table = 'passwd' | 'group';
type Owned = Pick<TreeEntry, 'uid' | 'gid' | 'user' | 'group'>;

/** Asks the system's own tables once for each number or name; one that nobody has stays without. */
export class Owners {
  readonly #names = new Map<string, string | undefined>();
  readonly #numbers = new Map<string, number | undefined>();

  /** Undefined when nobody has this number. */
  async nameOf(table: Table, id: number): Promise<string | undefined> {
    const key = `${table}:${id}`;
    if (!this.#names.has(key)) this.#names.set(key, (await entry(table, String(id)))?.name);
    return this.#names.get(key);
  }

  /** Whose the entry is on this host: by name where somebody has it, else by number. */
  async here({ uid, gid, user, group }: Owned): Promise<{ readonly uid: number; readonly gid: number } | undefined> {
    if (uid === undefined || gid === undefined) return undefined;
    const byName = user === undefined ? undefined : await this.numberOf('passwd', user);
    const groupByName = group === undefined ? undefined : await this.numberOf('group', group);
    return { uid: byName ?? uid, gid: groupByName ?? gid };
  }

  /** Names that were asked for and that nobody has here, as `user 'x'` and `group 'x'`. */
  get missing(): readonly string[] {
    const kinds = { passwd: 'user', group: 'group' } as const;
    return [...this.#numbers]
      .filter(([, id]) => id === undefined)
      .map(([key]) => {
        const table = key.slice(0, key.indexOf(':')) as Table;
        return `${kinds[table]} '${key.slice(table.length + 1)}'`;
      });
  }

  /** Undefined when nobody has this name. */
  async numberOf(table: Table, name: string): Promise<number | undefined> {
    const key = `${table}:${name}`;
    if (!this.#numbers.has(key)) this.#numbers.set(key, (await entry(table, name))?.id);
    return this.#numbers.get(key);
  }
}

/** A line of getent(1): name, password, number, and more. */
async function entry(table: Table, key: string): Promise<{ name: string; id: number } | undefined> {
  const { stdout, exitCode } = await run('getent', [table, '--', key], { okExitCodes: [0, 2] });
  const [name, , id] = stdout.split(':');
  if (exitCode !== 0 || name === undefined || id === undefined) return undefined;
  return { name, id: Number(id) };
}
