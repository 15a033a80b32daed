import { type AddressInfo, createServer } from 'node:net';
import { policiesFromSupervisor, serveAsWorker, tellSupervisor } from '../../../proxy-task/workers/index.ts';

/** A worker that answers each connection with its process number and its policies, and misbehaves as its environment says. */
const { SMALL_PORT, SMALL_FAULT } = process.env;
const policies = await policiesFromSupervisor();
const idsInForce = () => policies.current().policies.map(({ id }) => id);
const server = createServer((socket) => socket.end(`${process.pid} ${idsInForce().join(',')}\n`));

if (SMALL_FAULT === 'dies-at-once') {
  await tellSupervisor({ kind: 'report', line: 'there is no such folder' });
  process.exit(3);
}
await new Promise<void>((resolve) => server.listen(Number(SMALL_PORT), '127.0.0.1', resolve));
// Policies come from the supervisor and never to it.
if (SMALL_FAULT === 'hands-policies')
  process.send?.({
    kind: 'policies',
    version: 'x',
    sources: [{ file: 'x', text: '@id("mine") permit (principal, action, resource);' }],
  });
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
