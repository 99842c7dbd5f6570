// `configuration diff`: what differs between two snapshots of a configuration, or one and the host as it is now.

import { z } from 'zod';
import type { Configuration, HostConfigurationSettings } from '../../../config/index.ts';
import { parseSnapshotTarget } from '../../domain/snapshot-target.ts';
import { fail } from '../../errors/index.ts';
import { defineCommand } from '../define.ts';
import { answerFrom } from '../estate-answers.ts';
import { outcome } from '../result.ts';

const NOW = 'now';
const STATES = 'a snapshot is `latest`, `snapshot:ID`, or a moment: the newest that was complete by then';

export const configurationDiff = defineCommand({
  path: 'configuration diff',
  arguments: '[what...]',
  takes: ['standalone'],
  summary: 'show what differs between two snapshots of a configuration, or one and the host as it is now',
  details: [
    'WHAT is NAME [FROM [TO]]: the configuration (its name may be left out where there is one), what to compare, and with what.',
    `FROM is latest, snapshot:ID, or a moment (the newest snapshot that was complete by then); TO is the same, or now. Without them: latest and now.`,
    'A secret shows as a marker, which differs where the secret does; to see the file itself, restore it beside.',
  ].join('\n'),
  examples: [
    'holdfast configuration diff etc',
    'holdfast configuration diff etc 2026-11-23T05:59:59Z',
    'holdfast configuration diff etc snapshot:20261123T010000Z-3f9a1c2b latest --json',
  ],
  input: z.object({ args: z.array(z.string()) }),
  async run({ args }, context) {
    const configuration = await context.configuration();
    const { settings, rest } = readComponent(configuration, args);
    const [from = 'latest', to = NOW, ...more] = rest;
    if (more.length > 0) fail('USAGE', `expected at most two states, got '${rest.join(' ')}'`, { hint: STATES });
    if (from === NOW) fail('USAGE', "'now' can only be what a snapshot is compared with: name it second");
    for (const each of [from, to]) if (each !== NOW) requireState(each, settings, configuration);
    const request = { component: settings.id, from, to };
    const { value: diff, temporal } = await answerFrom(
      context,
      (client) => client.configurationDiff(request),
      (host) => host.configurationDiff(request),
      // Its commands must not run twice.
      { mayAskBoth: to !== NOW },
    );
    return outcome('configuration diff', { state: 'completed', temporal, diff });
  },
});

/** The first word may have been meant for a name. Throws `MOMENT_INVALID`. */
function requireState(text: string, { id }: HostConfigurationSettings, { timezone, configuration }: Configuration) {
  try {
    parseSnapshotTarget(text, timezone);
  } catch (error) {
    if (/^\d{4}-/.test(text)) throw error;
    const ids = Object.values(configuration).map((each) => each.id);
    fail('MOMENT_INVALID', `'${text}' is neither a configuration (${ids.join(', ')}) nor a snapshot of ${id}`, {
      hint: `${STATES}; \`holdfast list ${id}\` shows those that there are`,
    });
  }
}

interface Named {
  readonly settings: HostConfigurationSettings;
  readonly rest: readonly string[];
}

/** `etc`, `configuration/etc`, or neither where there is one. */
function readComponent({ configuration }: Configuration, args: readonly string[]): Named {
  const [first = '', ...rest] = args;
  const all = Object.values(configuration);
  const found = all.find(({ id, name }) => first === id || first === name);
  if (found !== undefined) return { settings: found, rest };
  const [only, ...others] = all;
  if (only !== undefined && others.length === 0) return { settings: only, rest: args };
  if (only === undefined) {
    const hint = "a section 'configuration' of the file makes one: docs/configuration-snapshots.md";
    return fail('UNKNOWN_COMPONENT', "no component of the kind 'configuration' is configured", { hint });
  }
  const ids = all.map(({ id }) => id).join(', ');
  if (args.length === 0) return fail('USAGE', 'expected the name of a configuration', { hint: `configured: ${ids}` });
  return fail('UNKNOWN_COMPONENT', `no configuration '${first}' is configured`, { hint: `configured: ${ids}` });
}
