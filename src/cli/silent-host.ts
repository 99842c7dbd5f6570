// What is said of a host whose worker did not answer, while the vault did: nothing is known of its log, and copies that are away may be why.

import type { Finding } from '../domain/component-report.ts';
import type { CopyStatus } from '../domain/copies-report.ts';
import type { ErrorData } from '../errors/index.ts';

export function silentHost(host: string, error: ErrorData, copies: readonly CopyStatus[]): Finding {
  const waited = error.details?.waitedSeconds;
  const within = waited === undefined ? '' : ` within ${waited} s`;
  const away = copies.filter(({ state }) => state === 'away').map(({ copy }) => copy);
  const mayBeSlow = waited !== undefined && away.length > 0;
  const slow = mayBeSlow ? ` one that runs is slow while these copies are away: ${away.join(', ')}` : '';
  return {
    severity: 'warning',
    message: `no worker answers on '${host}'${within}: this was read from the vault, and whether the log is shipped is not known`,
    hint: `is \`holdfast worker\` running on '${host}'?${slow}`,
  };
}
