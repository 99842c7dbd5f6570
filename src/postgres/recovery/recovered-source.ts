// The recovered server as a source for ordinary sessions and for PostgreSQL's own programs, by its private socket.

import type { RestorePlan, Source } from '../types.ts';
import { connectionString } from './finish-beside.ts';
import { openRecovered, recoveredServer } from './recovered-place.ts';

/** A library that a role or database asks for may not be installed here, and has no part in this. */
const OPTIONS = '-c session_preload_libraries= -c local_preload_libraries= -c default_transaction_read_only=off';

/** Starts the server again where it went down since it was promoted. As its superuser. */
export async function recoveredSource(plan: RestorePlan, database: string): Promise<Source> {
  const session = await openRecovered(plan);
  await session.close();
  const url = `${connectionString(recoveredServer(plan), session.role)}&options=${encodeURIComponent(OPTIONS)}`;
  return { component: plan.component, url, database };
}
