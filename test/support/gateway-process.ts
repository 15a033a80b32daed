import { flushCompileCache } from 'node:module';
import { dataDirectory } from '../../cli/data-directory.ts';
import type { RunningGateway } from '../../cli/gateway-run.ts';
import { runConfiguredGateway } from '../../cli/gateway-workers.ts';
import { loadInstallation } from '../../cli/installation.ts';

/** Run as a process of its own by `forkGateway`: a gateway on the data directory that its argument names. */
export type GatewayMessage =
  | { readonly kind: 'opening' }
  | { readonly kind: 'ready'; readonly port: number }
  | { readonly kind: 'report'; readonly line: string }
  | { readonly kind: 'memory'; readonly memory: ProcessMemory };

/** Bytes, after a garbage collection; `peak` is the most that was ever resident. */
export type ProcessMemory = { readonly resident: number; readonly buffers: number; readonly peak: number };

export type GatewayOrder = 'memory' | 'close';

const send = (message: GatewayMessage) => void process.send?.(message);

async function main(root: string): Promise<void> {
  const data = dataDirectory(root);
  const installation = await loadInstallation(data);
  send({ kind: 'opening' });
  const running = await runConfiguredGateway({
    data,
    installation,
    extraTargets: [],
    listen: { host: '127.0.0.1', port: 0 },
    now: Date.now,
    report: (line) => send({ kind: 'report', line }),
    eventNames: [],
  });
  process.on('message', (order: GatewayOrder) => {
    if (order === 'memory') send({ kind: 'memory', memory: measure() });
    else void close(running);
  });
  send({ kind: 'ready', port: running.gateway.address.port });
  // At the end it would be too late for one that is killed.
  flushCompileCache();
}

async function close(running: RunningGateway): Promise<void> {
  await running.close('the test has ended');
  process.disconnect();
}

function measure(): ProcessMemory {
  globalThis.gc?.();
  const { rss, arrayBuffers } = process.memoryUsage();
  return { resident: rss, buffers: arrayBuffers, peak: process.resourceUsage().maxRSS * 1024 };
}

// The test that started it is gone: so is the reason to run.
process.on('disconnect', () => process.exit());
await main(process.argv[2] ?? '');
