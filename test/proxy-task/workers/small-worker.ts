import { type AddressInfo, createServer } from 'node:net';
import { serveAsWorker, tellSupervisor } from '../../../proxy-task/workers/index.ts';

/** A worker that answers each connection with its process number, and misbehaves as its environment says. */
const { SMALL_PORT, SMALL_FAULT } = process.env;
const server = createServer((socket) => socket.end(`${process.pid}\n`));

if (SMALL_FAULT === 'dies-at-once') {
  await tellSupervisor({ kind: 'report', line: 'there is no such folder' });
  process.exit(3);
}
await new Promise<void>((resolve) => server.listen(Number(SMALL_PORT), '127.0.0.1', resolve));
await serveAsWorker({
  gateway: {
    address: { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    sessionCount: 7,
    notice: (text) => void tellSupervisor({ kind: 'report', line: `noticed: ${text}` }),
    stopAccepting: () => void server.close(),
    close: async () => undefined,
  },
  eventNames: new Set(),
  subscribe: () => undefined,
  failed: new Promise(() => undefined),
  close: async (reason) => {
    await tellSupervisor({ kind: 'report', line: `closed: ${reason}` });
    if (SMALL_FAULT === 'never-closes') await new Promise((resolve) => setTimeout(resolve, 600_000));
  },
});
process.exit();
