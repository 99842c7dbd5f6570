// Questions to a host, answered by the same service that the command line uses when there is no Temporal.

import type { HostActivities } from './contract.ts';
import { runActivity } from './lib/activity-runner.ts';
import type { HostServices } from './lib/host-services.ts';

export function createHostActivities({ frame, service }: HostServices): HostActivities {
  return {
    askSnapshots: ({ component }) => runActivity(frame, async () => await (await service()).snapshots(component)),
    askComponents: ({ component }) => runActivity(frame, async () => await (await service()).components(component)),
    askCopies: () => runActivity(frame, async () => await (await service()).copies()),
    askRetention: () => runActivity(frame, async () => await (await service()).retention()),
    askHistory: ({ component }) => runActivity(frame, async () => await (await service()).history(component)),
    findFiles: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        const onProgress = (done: { snapshots: number; of: number }) =>
          report({ note: `${done.snapshots} of ${done.of} snapshots` });
        return await (await service()).findFiles(request, { signal, onProgress });
      }),
    diffFiles: (request) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: `${request.one} beside ${request.other}` });
        return await (await service()).diffFiles(request, { signal });
      }),
    askConfigurationDiff: (request) =>
      runActivity(frame, async ({ signal }) => await (await service()).configurationDiff(request, signal)),
    checkComponent: ({ component }) =>
      runActivity(frame, async ({ signal, report }) => {
        report({ note: `${component}, end to end` });
        return await (await service()).check(component, { signal });
      }),
  };
}
