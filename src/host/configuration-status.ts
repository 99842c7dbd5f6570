// What is true of a host's configuration beside what the vault says: what has drifted since the newest snapshot, and whether the history is at the remote.

import type { Configuration, HostConfigurationSettings } from '../../config/index.ts';
import { DIVERGED, type Drift, driftOf, lastPush } from '../configuration/index.ts';
import type { ComponentStatus, ConfigurationDrift, Finding } from '../domain/component-report.ts';
import { shownPath } from '../domain/path-text.ts';
import { toHoldfastError } from '../errors/index.ts';
import type { SnapshotId, Vault } from '../vault/index.ts';
import { configurationPlace } from './configuration-source.ts';

/** A status goes through histories and lists. */
const MOST_NAMES = 20;
const SHOWN = 5;

/** Only on the host whose configuration it is. */
export async function withConfiguration(
  status: ComponentStatus,
  { vault, configuration }: { readonly vault: Vault; readonly configuration: Configuration },
  settings: HostConfigurationSettings,
): Promise<ComponentStatus> {
  const place = configurationPlace(configuration, settings);
  const snapshot = status.lastSnapshot?.id as SnapshotId | undefined;
  const { paths, rules, remote, id } = settings;
  const found = snapshot === undefined ? undefined : await driftOf({ vault, place, snapshot, paths, rules });
  const drift = found && summaryOf(found);
  const findings = [...driftFindings(id, drift), ...(remote === undefined ? [] : await pushFindings(place))];
  return { ...status, ...(drift && { drift }), findings: [...findings, ...status.findings] };
}

function summaryOf(drift: Drift): ConfigurationDrift {
  if (drift.state === 'unknown') return drift;
  const { state, since, names, notRead } = drift;
  const first = names.first.slice(0, MOST_NAMES);
  return { state, since, names: { count: names.count, first }, notRead, commands: 'not asked' };
}

function driftFindings(id: string, drift: ConfigurationDrift | undefined): Finding[] {
  if (drift === undefined || drift.state === 'none') return [];
  if (drift.state === 'unknown') {
    const message = `what has changed since the newest snapshot is not known: ${drift.because}`;
    return [{ severity: 'warning', message, hint: `\`holdfast check ${id}\` tells what cannot be looked at` }];
  }
  const { count, first } = drift.names;
  const shown = first.slice(0, SHOWN).map(({ what, path }) => `${shownPath(path)} (${what})`);
  const more = count > shown.length ? ` and ${count - shown.length} more` : '';
  const message = `changed since ${drift.since}: ${shown.join(', ')}${more}`;
  return [
    {
      severity: 'hint',
      message,
      hint: `\`holdfast configuration diff ${id}\` shows what; \`holdfast backup ${id}\` keeps it`,
    },
  ];
}

export function pushHint(because: string | undefined): string {
  return because?.startsWith(DIVERGED)
    ? 'did somebody push there, or was this history begun anew? bring the two together by hand, or give it a branch of its own (`git.remote.branch`)'
    : 'it is pushed again with the next snapshot; nothing of it is lost';
}

async function pushFindings(place: Parameters<typeof lastPush>[0]): Promise<Finding[]> {
  try {
    const last = await lastPush(place);
    if (last === undefined || last.state === 'pushed') return [];
    const message = `the history is ${last.behind} commits ahead of the remote: ${last.because ?? 'not pushed'}`;
    return [{ severity: 'warning', message, hint: pushHint(last.because) }];
  } catch (error) {
    const { message } = toHoldfastError(error);
    return [
      {
        severity: 'warning',
        message: `how the last push ended is not known: ${message}`,
        hint: `look at '${place.push}'`,
      },
    ];
  }
}
