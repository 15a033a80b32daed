import { dataDirectory } from '../../cli/data-directory.ts';
import { runConfiguredGateway } from '../../cli/gateway-workers.ts';
import { loadInstallation } from '../../cli/installation.ts';
import type { GatewayParts } from '../../proxy-task/index.ts';
import { answer, obey } from './child-side.ts';
import { withoutOutput } from './gateway.ts';

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
  ...(process.argv[3] === withoutOutput ? { parts: deafened } : {}),
});
obey(
  () => answer({ kind: 'sessions', count: running.gateway.sessionCount }),
  () => running.close('the benchmark is over'),
);
answer({ kind: 'ready', port: running.gateway.address.port });

/** Recordings that begin and end as ever, and are told nothing in between. */
function deafened(parts: GatewayParts): GatewayParts {
  return {
    ...parts,
    recorder: {
      settled: () => parts.recorder.settled(),
      start(start) {
        const channel = parts.recorder.start(start);
        return {
          output: () => undefined,
          input: () => undefined,
          pendingLine: (most) => channel.pendingLine(most),
          resize: (columns, rows) => channel.resize(columns, rows),
          marker: (label) => channel.marker(label),
          finish: (exit, putOnRecord) => channel.finish(exit, putOnRecord),
        };
      },
    },
  };
}
