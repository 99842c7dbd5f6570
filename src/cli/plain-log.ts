// What the parts below a command log, for a person at a terminal: one plain line each, and the same one once.

import type { DestinationStream } from 'pino';
import type { Io } from './io.ts';

/** Of what pino writes as JSON, the message and whom it is about. */
export function plainLog(io: Pick<Io, 'stderr'>): DestinationStream {
  const said = new Set<string>();
  return {
    write(line) {
      const { msg, copy, component } = JSON.parse(line) as Readonly<Record<string, unknown>>;
      const who = [component, copy === undefined ? undefined : `copy ${String(copy)}`].filter(
        (part) => part !== undefined,
      );
      const text = `${who.length > 0 ? `${who.join(', ')}: ` : ''}${String(msg)}`;
      if (said.has(text)) return;
      said.add(text);
      io.stderr.write(`note: ${text}\n`);
    },
  };
}
