import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFileSigner } from '#adapters/local';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
  type RemoteSigner,
  remoteSigner,
} from '#ssh';
import { type DataDirectory, dataDirectory } from '../../cli/data-directory.ts';
import { BenchError } from './bench-error.ts';
import { type Child, type ReadyChild, startChild } from './child.ts';
import { type ProcessUsage, usageOf } from './process-usage.ts';
import type { Workbench } from './workbench.ts';

/** Those with which `npm start` runs it. */
const startFlags = ['--max-semi-space-size=1'];
const startEnvironment = { MALLOC_ARENA_MAX: '1' };

/** The name by which every gateway here knows its one target. */
export const targetName = 'web-1';

/** Argument of the gateway's process: what channels show is not recorded. */
export const withoutOutput = '--without-output';

/** A data directory whose gateway does not run yet: its target wants to know the certificate authority first. */
export type Premises = {
  readonly data: DataDirectory;
  readonly authority: RemoteSigner;
  readonly gatewayKey: PrivateKey;
  readonly engineerKey: PrivateKey;
  readonly engineerKeyFile: string;
  /** Of another identity, `guest`. */
  readonly guestKey: PrivateKey;
  readonly guestKeyFile: string;
};

export type GatewayProcess = ReadyChild & {
  usage(): ProcessUsage;
  /** Waits until every session is closed and on record. */
  settled(): Promise<void>;
};

/** `like` gives the engineer and the host key to premises of another gateway beside the first, in a data directory of its own. */
export async function preparePremises(
  { folder }: Workbench,
  beside?: { readonly name: string; readonly like: Premises },
): Promise<Premises> {
  const data = dataDirectory(join(folder, beside?.name ?? 'data'));
  mkdirSync(data.keys, { recursive: true, mode: 0o700 });
  const authority = remoteSigner(await createFileSigner(data.userAuthorityKey));
  const gatewayKey = beside?.like.gatewayKey ?? generatePrivateKey('ed25519');
  const engineerKey = beside?.like.engineerKey ?? generatePrivateKey('ed25519');
  const engineerKeyFile = join(folder, 'id_engineer');
  const guestKey = beside?.like.guestKey ?? generatePrivateKey('ed25519');
  const guestKeyFile = join(folder, 'id_guest');
  writeSecret(data.hostKey, formatPrivateKey(gatewayKey, 'gateway'));
  writeSecret(engineerKeyFile, formatPrivateKey(engineerKey, 'engineer'));
  writeSecret(guestKeyFile, formatPrivateKey(guestKey, 'guest'));
  return { data, authority, gatewayKey, engineerKey, engineerKeyFile, guestKey, guestKeyFile };
}

export type GatewayChoices = {
  readonly workers?: number;
  /** Otherwise its recordings have no output, to tell what recording costs. */
  readonly recordsOutput?: boolean;
  /** Then its policy speaks of single commands, which are held on terminals until they are judged. */
  readonly judgesCommands?: boolean;
  /** Otherwise the limits of what one address may do are out of the way, since all clients share one. */
  readonly limitsSources?: boolean;
};

/** Starts the gateway in a process of its own, recording and journal on, with one target behind it. */
export async function startGatewayProcess(
  workbench: Workbench,
  premises: Premises,
  target: { readonly port: number; readonly hostKey: PrivateKey },
  { workers = 1, recordsOutput = true, judgesCommands = false, limitsSources = false }: GatewayChoices = {},
): Promise<GatewayProcess> {
  const { data } = premises;
  writeSecret(data.policy, judgesCommands ? `${policy}${commandPolicy}` : policy);
  writeSecret(
    data.configuration,
    configurationText(
      premises,
      target.port,
      formatPublicKeyLine(target.hostKey.publicKey),
      `${limitsSources ? '' : unlimitedSources}  workers: ${workers}`,
    ),
  );
  const { nodeFlags, progress } = workbench;
  const child = await startChild(
    'gateway-process.ts',
    [data.root, ...(recordsOutput ? [] : [withoutOutput])],
    [...startFlags, ...nodeFlags],
    startEnvironment,
  );
  workbench.defer(() => child.stop());
  child.listen((said) => {
    if (said.kind === 'report') progress(`the gateway says: ${said.line}`);
  });
  return { ...child, usage: () => usageOf(child.pid), settled: () => settled(child) };
}

export function writeSecret(path: string, text: string): void {
  writeFileSync(path, text, { mode: 0o600 });
}

/** Waits until a proxy has no session left. */
export async function settled(gateway: Child): Promise<void> {
  const deadline = Date.now() + 60_000;
  while ((await gateway.ask({ kind: 'count-sessions' }, 'sessions')).count > 0) {
    if (Date.now() > deadline)
      throw new BenchError('failed', 'sessions stay open a minute after their clients left');
    await sleep(20);
  }
}

/** As much as a small installation has: two rules to weigh at each decision. */
const policy = `@id("engineers")
permit (principal in Group::"engineers", action, resource in HostGroup::"env=bench");

@id("no-halting")
forbid (principal, action == Action::"exec", resource)
when { context has program && ["halt", "poweroff", "reboot", "shutdown"].contains(context.program) };
`;

const commandPolicy = `
@id("no-touching")
forbid (principal, action == Action::"command", resource)
when { context has program && context.program == "touch" };
`;

const unlimitedSources = `  maxSessions: 20000
  maxConnectionsPerSource: 20000
  maxStartsPerSourcePerMinute: 1000000
  maxStartups: { begin: 20000, ratePercent: 100, full: 20000 }
`;

function configurationText(
  { engineerKey, guestKey }: Premises,
  targetPort: number,
  targetKey: string,
  settings: string,
): string {
  return `gateway:
  listen: { host: 127.0.0.1, port: 0 }
  proxyId: bench
  eventSource: ssh-proxy.example.com
${settings}
identities:
  - name: engineer
    groups: [engineers]
    keys: [${JSON.stringify(formatPublicKeyLine(engineerKey.publicKey))}]
  - name: guest
    groups: [engineers]
    keys: [${JSON.stringify(formatPublicKeyLine(guestKey.publicKey))}]
targets:
  - name: ${targetName}
    host: 127.0.0.1
    port: ${targetPort}
    labels: { env: bench }
    hostKeys: [${JSON.stringify(targetKey)}]
policies: { files: [policy.cedar] }
userAuthority: { keyFile: keys/user-ca.pem }
hostKeys: { files: [keys/host-ed25519] }
`;
}
