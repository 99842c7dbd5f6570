// Components that are given back as trees of files, of whichever kind: where they are on their host, by which rules, and how their snapshots are read.

import {
  type ComponentSettings,
  type Configuration,
  componentOf,
  type FilesRules,
  type FilesSettings,
  type HostConfigurationSettings,
} from '../../config/index.ts';
import { type Places, pathsNow, placesOf, readingInWalkOrder, type SnapshotSource } from '../configuration/index.ts';
import type { ComponentId } from '../domain/component.ts';
import { fail } from '../errors/index.ts';
import { isThere } from '../system/index.ts';

export type TreesSettings = FilesSettings | HostConfigurationSettings;

export interface Trees {
  readonly rules: FilesRules;
  /** Directories in which a restore in place may have left something, of whichever component. */
  readonly places: () => Promise<Places>;
  /** Of its roots those that are there now. Throws `FILES_ROOT` when that cannot be told. */
  readonly rootsNow: () => Promise<readonly string[]>;
  readonly snapshotsOf: (vault: SnapshotSource) => SnapshotSource;
  /** Where they are on another host: no restore in place can be there. */
  readonly pull?: NonNullable<FilesSettings['pull']>;
}

export function treesOf(settings: TreesSettings): Trees {
  const { rules } = settings;
  if (settings.kind === 'configuration') {
    const rootsNow = async () => (await pathsNow(settings.paths)).roots;
    return { rules, places: () => placesOf(settings.paths), rootsNow, snapshotsOf: readingInWalkOrder };
  }
  const { roots, pull } = settings;
  return {
    rules,
    places: () => Promise.resolve({ places: roots, unseen: [] }),
    rootsNow: () => thereOf(roots),
    snapshotsOf: (vault) => vault,
    ...(pull && { pull }),
  };
}

async function thereOf(roots: readonly string[]): Promise<readonly string[]> {
  const there: string[] = [];
  for (const root of roots) if (await isThere(root)) there.push(root);
  return there;
}

/** Throws `UNKNOWN_COMPONENT`. */
export function treesOn(
  { configuration, host }: { readonly configuration: Configuration; readonly host: string },
  component: ComponentId,
): Trees {
  const settings = componentOf(configuration, component);
  if (!isTrees(settings) || settings.host !== host) {
    fail('UNKNOWN_COMPONENT', `'${component}' is no component of files on host '${host}'`);
  }
  return treesOf(settings);
}

function isTrees(settings: ComponentSettings): settings is TreesSettings {
  return settings.kind === 'files' || settings.kind === 'configuration';
}
