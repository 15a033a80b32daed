import { join } from 'node:path';
import { formatPrivateKey, type PrivateKey } from '#ssh';
import { type ReadyChild, startChild } from './child.ts';
import { writeSecret } from './gateway.ts';
import { type ProcessUsage, usageOf } from './process-usage.ts';
import type { Workbench } from './workbench.ts';

export type Ssh2Proxy = ReadyChild & { usage(): ProcessUsage };

/** Starts the proxy made of the library ssh2, with the same keys and the same target as a gateway beside it. */
export async function startSsh2Proxy(
  { folder, nodeFlags, defer }: Workbench,
  keys: {
    readonly host: PrivateKey;
    readonly engineerKeyFile: string;
    /** What it shows to the target. */
    readonly proxy: PrivateKey;
  },
  targetPort: number,
): Promise<Ssh2Proxy> {
  const hostKeyFile = join(folder, 'ssh2_host_key');
  const proxyKeyFile = join(folder, 'ssh2_proxy_key');
  writeSecret(hostKeyFile, formatPrivateKey(keys.host, 'ssh2'));
  writeSecret(proxyKeyFile, formatPrivateKey(keys.proxy, 'ssh2'));
  const child = await startChild(
    'ssh2-proxy-process.ts',
    [hostKeyFile, keys.engineerKeyFile, proxyKeyFile, String(targetPort)],
    nodeFlags,
  );
  defer(() => child.stop());
  return { ...child, usage: () => usageOf(child.pid) };
}
