import { type Answer, type Order, parseOrder } from './messages.ts';

export function answer(message: Answer): void {
  process.send?.(message);
}

/**
 * Obeys the benchmark's orders, one after the other, and ends the process when told to stop or when the benchmark is gone.
 * An order that fails is answered so, and the process goes on.
 */
export function obey(handle: (order: Order) => Promise<void> | void, stop: () => Promise<void>): void {
  // Ctrl-C reaches the whole group; the benchmark decides what becomes of its children.
  process.on('SIGINT', () => undefined);
  let turn = Promise.resolve();
  const finish = async (): Promise<void> => {
    await stop();
    process.exit(0);
  };
  process.on('disconnect', () => void finish());
  process.on('message', (message) => {
    turn = turn.then(async () => {
      try {
        const order = parseOrder(message);
        await (order.kind === 'stop' ? finish() : handle(order));
      } catch (error) {
        answer({ kind: 'failed', reason: error instanceof Error ? error.message : String(error) });
      }
    });
  });
}
