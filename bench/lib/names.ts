// What is said in a report's commands instead of the paths of one machine.

import { repositoryRoot } from './machine.ts';
import type { Peers } from './peers.ts';

/** `place`: directories by name. For `shown`. */
export function namesOf(peers: Peers, place: object): Record<string, string> {
  const names: Record<string, string> = { $holdfast: repositoryRoot, node: process.execPath };
  for (const [name, peer] of Object.entries(peers)) {
    names[name] = peer.argv[0] as string;
    for (const [variable, value] of Object.entries(peer.env)) names[`$${variable}`] = value;
  }
  for (const [name, directory] of Object.entries(place)) names[`$${name}`] = directory as string;
  return names;
}
