// A snapshot that a component does not have: whose it is.

import type { ComponentId } from '../domain/component.ts';
import { fail } from '../errors/index.ts';
import type { Vault } from './types.ts';

/** Throws `NOT_FOUND`, and what the vault says. */
export async function noSnapshotOf(
  vault: Pick<Vault, 'listSnapshots'>,
  component: ComponentId,
  id: string,
): Promise<never> {
  const other = (await vault.listSnapshots()).find((each) => each.id === id);
  if (other === undefined) {
    return fail('NOT_FOUND', `${component} has no snapshot '${id}', and no other component has it`, {
      hint: `\`holdfast list ${component}\` shows those it has`,
    });
  }
  const { component: whose, kind } = other;
  const what = kind === 'logical' ? 'dump' : 'snapshot';
  const restore =
    kind === 'physical'
      ? ''
      : `, \`holdfast restore ${whose} --to ${what}:${id} --dry-run\` tells what it would give back`;
  return fail('NOT_FOUND', `'${id}' is a ${what} of ${whose}, not of ${component}`, {
    hint: `\`holdfast list ${component}\` shows those of ${component}${restore}`,
  });
}
