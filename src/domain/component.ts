// Components: the protected things, and how they are named everywhere.

import { fail } from '../errors/index.ts';

export const componentKinds = ['database', 'redis', 'files', 'configuration'] as const;
export type ComponentKind = (typeof componentKinds)[number];

/** `database/main`: kind and name; also the prefix of everything the component owns in the vault. */
export type ComponentId = `${ComponentKind}/${string}`;

/** Names travel in object keys, workflow ids and directory names, so they are kept to what all of those take unquoted. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9-]{0,62}$/;

export function componentId(kind: ComponentKind, name: string): ComponentId {
  return `${kind}/${name}`;
}

export function parseComponentId(text: string): { kind: ComponentKind; name: string } {
  const [kind, name, ...rest] = text.split('/');
  if (
    !componentKinds.includes(kind as ComponentKind) ||
    name === undefined ||
    !NAME_PATTERN.test(name) ||
    rest.length > 0
  ) {
    fail('UNKNOWN_COMPONENT', `expected a component such as 'database/main', got '${text}'`);
  }
  return { kind: kind as ComponentKind, name };
}
