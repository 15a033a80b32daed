import { userInfo } from 'node:os';
import { join } from 'node:path';
import { formatPrivateKey, generatePrivateKey } from '#ssh';
import { type Child, type ReadyChild, startChild } from './child.ts';
import {
  type GatewayProcess,
  type Premises,
  preparePremises,
  settled,
  startGatewayProcess,
  targetName,
  writeSecret,
} from './gateway.ts';
import { type Ssh2Proxy, startSsh2Proxy } from './ssh2-proxy.ts';
import type { Workbench } from './workbench.ts';

/** Shells in numbers through a gateway to a target that costs little; each of the three is a process of its own. */
export type Load = {
  readonly premises: Premises;
  readonly gateway: GatewayProcess;
  /** Tells of connections that ended unasked. */
  readonly client: Child;
  readonly target: Child;
  /** Made of the library ssh2, to the same target; started when it is first asked for. */
  ssh2(): Promise<Ssh2Proxy>;
  /** Opens shells and keeps them; resolves with the seconds it took when all stand. `direct` leads past every proxy. */
  open(count: number, way?: 'gateway' | 'direct' | 'ssh2'): Promise<number>;
  /** Closes them all; resolves when the gateway has them on record, and no proxy has any left. */
  close(): Promise<void>;
};

/** For ten thousand on a slow machine. */
const openDeadlineMs = 1_200_000;

/** Logins on their way at once. */
export const inFlight = 16;

export async function openLoad(workbench: Workbench, workers = 1): Promise<Load> {
  const premises = await preparePremises(workbench);
  const hostKey = generatePrivateKey('ed25519');
  const hostKeyFile = join(workbench.folder, 'target_key');
  writeSecret(hostKeyFile, formatPrivateKey(hostKey, 'target'));
  const target = await startedFor(workbench, 'target-process.ts', hostKeyFile);
  const gateway = await startGatewayProcess(workbench, premises, { port: target.port, hostKey }, { workers });
  const client = await startedFor(workbench, 'load-process.ts', premises.engineerKeyFile);
  const login = userInfo().username;
  let beside: Promise<Ssh2Proxy> | undefined;
  const ssh2 = () => {
    const { gatewayKey: host, engineerKeyFile } = premises;
    beside ??= startSsh2Proxy(
      workbench,
      { host, engineerKeyFile, proxy: generatePrivateKey('ed25519') },
      target.port,
    );
    return beside;
  };
  const destination = async (way: 'gateway' | 'direct' | 'ssh2') => {
    switch (way) {
      case 'gateway':
        return { ports: [gateway.port], user: `${login}@${targetName}` };
      case 'direct':
        return { ports: [target.port], user: login };
      case 'ssh2':
        return { ports: [(await ssh2()).port], user: login };
    }
  };
  return {
    premises,
    gateway,
    client,
    target,
    ssh2,
    async open(count, way = 'gateway') {
      const to = await destination(way);
      return (await client.ask({ kind: 'open', count, inFlight, ...to }, 'opened', openDeadlineMs)).seconds;
    },
    async close() {
      await client.ask({ kind: 'close' }, 'closed');
      await gateway.settled();
      if (beside !== undefined) await settled(await beside);
    },
  };
}

async function startedFor(workbench: Workbench, module: string, file: string): Promise<ReadyChild> {
  const child = await startChild(module, [file]);
  workbench.defer(() => child.stop());
  return child;
}
