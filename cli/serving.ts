import type { Target } from '#core/contract';
import type { DataDirectory } from './data-directory.ts';
import { writeClientFiles } from './first-run.ts';
import { announceGateway, withdrawGateway } from './gateway-process.ts';
import type { GatewayRunOptions, RunningGateway } from './gateway-run.ts';
import { runConfiguredGateway } from './gateway-workers.ts';
import type { Installation } from './installation.ts';
import { startRunbookScheduler, triggerEvents } from './runbook-scheduler.ts';

export type ServingOptions = {
  readonly data: DataDirectory;
  readonly installation: Installation;
  readonly sshPort: number;
  /** Beside those of the configuration. */
  readonly targets: readonly Target[];
  readonly now: () => number;
  readonly report: (line: string) => void;
  readonly journal?: GatewayRunOptions['journal'];
};

/** The gateway and the runbooks over one opening of journal and stores. */
export type Serving = {
  readonly running: RunningGateway;
  close(reason: string): Promise<void>;
};

/** Starts the gateway, then the runbooks; whatever fails half-way stops what was started before. */
export async function startServing(options: ServingOptions): Promise<Serving> {
  const { data, installation, targets, sshPort, now, report, journal } = options;
  const { listen } = installation.configuration.gateway;
  const running = await runConfiguredGateway({
    data,
    installation,
    extraTargets: targets,
    listen: { host: listen.host, port: sshPort },
    now,
    report,
    eventNames: triggerEvents(data, installation),
    ...(journal === undefined ? {} : { journal }),
  });
  try {
    const { host, port } = running.gateway.address;
    announceGateway(data, { pid: process.pid, host, port, startedAtMs: now() });
    writeClientFiles(data, {
      host,
      port,
      hostKeys: installation.hostKeys.map(({ publicKey }) => publicKey),
      ...(installation.hostAuthority === undefined
        ? {}
        : { hostAuthority: installation.hostAuthority.publicKey }),
      targets: [...installation.configuration.targets, ...targets],
    });
    const scheduler = await startRunbookScheduler({ data, installation, running, now, report });
    return {
      running,
      async close(reason) {
        await scheduler.close();
        withdrawGateway(data);
        await running.close(reason);
      },
    };
  } catch (error) {
    withdrawGateway(data);
    await running.close('the gateway could not be started');
    throw error;
  }
}
