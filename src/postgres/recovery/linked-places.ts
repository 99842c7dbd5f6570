// The places outside of a data directory that its links lead to: found while planning, made before the base backup comes, pointed at by turns.

import { constants } from 'node:fs';
import { access, lstat, readdir, readlink, realpath, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { fail } from '../../errors/index.ts';
import type { LinkedPlace, PhysicalDetails } from '../types.ts';
import { exists, ifAbsent, linkTo, lstatIfThere, makeDirectory, ownerFor } from './durable-files.ts';
import { insideName, staysInPlace } from './own-place.ts';

export interface PlacesRequest {
  readonly dataDirectory: string;
  readonly details: Pick<PhysicalDetails, 'tablespaces' | 'major'>;
  readonly run: string;
}

/**
 * Of a restore in place: what the links of production say now; where production has none, a tablespace is where the base backup
 * had it. Throws `TARGET_UNFIT` for a place that is not there, lies in the data directory, or holds what production does not know.
 */
export async function findLinkedPlaces(request: PlacesRequest): Promise<readonly LinkedPlace[]> {
  const { dataDirectory, details, run } = request;
  const places: LinkedPlace[] = [];
  const log = await readLink(path.join(dataDirectory, 'pg_wal'));
  if (log !== undefined) {
    const directory = await resolve(dataDirectory, 'pg_wal', log);
    const isWhole = !staysInPlace(directory) && (await isWritable(path.dirname(directory)));
    const work = path.join(isWhole ? `${directory}.holdfast` : path.join(directory, insideName), run);
    places.push(placeOf('pg_wal', log, directory, isWhole ? 'whole' : 'entries', work));
  }
  for (const { oid, location } of details.tablespaces) {
    // One without a place of its own is a directory in the data directory (`allow_in_place_tablespaces`).
    if (!path.isAbsolute(location)) continue;
    const link = `pg_tblspc/${oid}`;
    const now = await readLink(path.join(dataDirectory, link));
    const directory = await resolve(dataDirectory, link, now ?? location);
    if (now === undefined) await proveFree(directory, details.major);
    places.push(placeOf(link, now ?? location, directory, 'entries', path.join(directory, insideName, run)));
  }
  return places;
}

function placeOf(link: string, text: string, directory: string, exchange: LinkedPlace['exchange'], work: string) {
  return { link, text, directory, exchange, work, made: path.join(work, 'made'), kept: path.join(work, 'kept') };
}

async function readLink(file: string): Promise<string | undefined> {
  return (await lstatIfThere(file))?.isSymbolicLink() ? readlink(file) : undefined;
}

async function resolve(dataDirectory: string, link: string, text: string): Promise<string> {
  const named = path.resolve(path.dirname(path.join(dataDirectory, link)), text);
  const directory = await realpath(named).catch(ifAbsent(undefined));
  if (directory === undefined || !(await stat(directory)).isDirectory()) {
    fail('TARGET_UNFIT', `'${named}', where '${link}' of the cluster belongs, is not a directory`, {
      hint: "mount it, or make it and give it to the server's user; or restore with `--beside DIR`",
    });
  }
  const data = await realpath(dataDirectory).catch(ifAbsent(dataDirectory));
  if (directory === data || directory.startsWith(`${data}/`)) {
    fail('TARGET_UNFIT', `'${link}' of '${dataDirectory}' leads into the data directory itself`, {
      hint: 'restore with `--beside DIR` and move the data by hand',
    });
  }
  return directory;
}

/** What lies there is of nobody that we know: perhaps of another cluster, perhaps all that is left of this one. */
async function proveFree(directory: string, major: number): Promise<void> {
  const version = (await readdir(directory)).find((name) => isVersionDirectory(name, major));
  if (version === undefined) return;
  fail('TARGET_UNFIT', `'${path.join(directory, version)}' belongs to no tablespace of the cluster that is replaced`, {
    hint: 'is it of another cluster? move it away by hand if it may go; nothing was touched',
  });
}

/** All that a server has in the place of a tablespace: `PG_<major>_<catalogue version>`. */
export const isVersionDirectory = (name: string, major: number) => new RegExp(`^PG_${major}_\\d+$`).test(name);

async function isWritable(directory: string): Promise<boolean> {
  return access(directory, constants.W_OK).then(
    () => true,
    () => false,
  );
}

/** Directory in which the recovered server has what production has behind this link. */
export function madeFor(linked: readonly LinkedPlace[] | undefined, link: string): string | undefined {
  return linked?.find((place) => place.link === link)?.made;
}

/** Directories of this run on the file systems of the linked places. Idempotent. */
export async function makePlaces(linked: readonly LinkedPlace[], runAs: string | undefined): Promise<void> {
  const owner = await ownerFor(runAs);
  for (const { work, made, kept, exchange } of linked) {
    await makeDirectory(path.dirname(work), 0o711);
    await makeDirectory(work, 0o711);
    await makeDirectory(made, 0o700, owner);
    // What is renamed as a whole brings its own directory along.
    if (exchange === 'entries') await makeDirectory(kept, 0o700, owner);
  }
}

/** Removes what a run made there; also the directory around it when nobody else uses it. */
export async function removePlaces(linked: readonly LinkedPlace[] = []): Promise<void> {
  for (const { work, directory } of linked) {
    const parent = path.dirname(work);
    if (parent !== path.join(directory, insideName) && parent !== `${directory}.holdfast`) {
      fail('INTERNAL', `'${work}' is no directory of a run`);
    }
    await rm(work, { recursive: true, force: true, maxRetries: 3 });
    if ((await readdir(parent).catch(ifAbsent(['absent']))).length === 0) await rm(parent, { recursive: true });
  }
}

/** Lets the links of a directory lead to one of the three places; one that the directory does not have is not made. */
export async function pointLinks(
  dataDirectory: string,
  linked: readonly LinkedPlace[],
  to: 'text' | 'made' | 'kept',
): Promise<void> {
  for (const place of linked) {
    const name = path.join(dataDirectory, place.link);
    if (!(await exists(name))) continue;
    if (!(await lstat(name)).isSymbolicLink()) fail('JOURNAL_STATE', `'${name}' is not a link any more`);
    if ((await readlink(name)) !== place[to]) await linkTo(place[to], name);
  }
}
