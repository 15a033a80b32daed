import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { StalledAnswer, StalledOrder } from './stalled-load-process.ts';

/** Connections that stopped half-way, held by a process of their own. */
export type StalledLoad = StalledAnswer & { stop(): Promise<void> };

/** As many connections for each of ten steps of the handshake. */
export async function startStalledLoad(port: number, perStep: number): Promise<StalledLoad> {
  const child = fork(join(import.meta.dirname, 'stalled-load-process.ts'), {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  child.send({ port, perStep } satisfies StalledOrder);
  const [answer] = (await once(child, 'message')) as [StalledAnswer];
  return {
    ...answer,
    async stop() {
      const gone = once(child, 'exit');
      child.kill('SIGKILL');
      await gone;
    },
  };
}
