import { dataDirectory } from '../../cli/data-directory.ts';
import { runConfiguredGateway } from '../../cli/gateway-workers.ts';
import { loadInstallation } from '../../cli/installation.ts';
import { answer, obey } from './child-side.ts';

/** The gateway of one data directory, alone in its process so that its CPU time and memory are its own. */
const data = dataDirectory(process.argv[2] ?? '');
const running = await runConfiguredGateway({
  data,
  installation: await loadInstallation(data),
  extraTargets: [],
  listen: { host: '127.0.0.1', port: 0 },
  now: Date.now,
  report: (line) => answer({ kind: 'report', line }),
  eventNames: [],
});
obey(
  () => answer({ kind: 'sessions', count: running.gateway.sessionCount }),
  () => running.close('the benchmark is over'),
);
answer({ kind: 'ready', port: running.gateway.address.port });
