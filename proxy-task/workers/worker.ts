import type { AuditRecord } from '#core/contract';
import type { Gateway } from '../gateway.ts';
import { supervisorOrder, type WorkerMessage } from './worker-message.ts';

export type WorkerOptions = {
  readonly gateway: Gateway;
  /** Events whose records the supervisor wants. */
  readonly eventNames: ReadonlySet<string>;
  readonly subscribe: (listener: (record: AuditRecord) => void) => void;
  /** The audit trail cannot be written: this process ends, and its replacement begins when it can be. */
  readonly failed: Promise<Error>;
  /** Ends the sessions, puts the stop on record, and closes the stores. */
  close(reason: string): Promise<void>;
};

const aliveMs = 1_000;

/** Tells the supervisor, from inside a worker process; settles when it is on its way. Nothing is told where there is none any more. */
export function tellSupervisor(message: WorkerMessage): Promise<void> {
  return new Promise((resolve) => {
    // A channel that closes in this moment is told of by 'disconnect'.
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

/** Serves until the supervisor says close, or is gone: without it nobody hands this process a connection any more. */
export async function serveAsWorker(options: WorkerOptions): Promise<void> {
  const { gateway, eventNames } = options;
  const over = Promise.withResolvers<string>();
  process.on('message', (message) => {
    const order = supervisorOrder.safeParse(message);
    // cluster sends messages of its own by the same channel.
    if (!order.success) return;
    switch (order.data.kind) {
      case 'notice':
        return gateway.notice(order.data.text);
      case 'stop-accepting':
        gateway.stopAccepting();
        // Whoever waits for the sessions to end waits for those of the last second, too.
        return void tellSupervisor({ kind: 'alive', sessions: gateway.sessionCount });
      case 'close':
        return over.resolve(order.data.reason);
      case 'policies':
        return;
    }
  });
  process.once('disconnect', () => over.resolve('the gateway stops'));
  void options.failed.then((error) => over.resolve(`the audit trail cannot be written (${error.message})`));
  options.subscribe((record) => {
    if (eventNames.has(record.eventName)) void tellSupervisor({ kind: 'record', record });
  });
  const alive = setInterval(
    () => void tellSupervisor({ kind: 'alive', sessions: gateway.sessionCount }),
    aliveMs,
  );
  const { host, port } = gateway.address;
  await tellSupervisor({ kind: 'ready', host, port });
  const reason = await over.promise;
  clearInterval(alive);
  await options.close(reason);
}
