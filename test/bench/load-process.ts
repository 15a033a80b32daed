import { readFileSync } from 'node:fs';
import { connectClient, connectSocket, linkFromSocket, parsePrivateKey, type Transport } from '#ssh';
import { answer, obey } from './child-side.ts';
import { type Order, preciseNowMs } from './messages.ts';

/** Opens shells in numbers, on a terminal each, and holds them. */
const privateKey = parsePrivateKey(readFileSync(process.argv[2] ?? '', 'utf8'));
const transports = new Set<Transport>();
let closing = false;

obey(async (order) => {
  if (order.kind === 'open') await open(order);
  else if (order.kind === 'close') await close();
}, close);
answer({ kind: 'ready', port: 0 });

async function open(order: Order & { readonly kind: 'open' }): Promise<void> {
  closing = false;
  let begun = 0;
  const started = performance.now();
  const worker = async (): Promise<void> => {
    while (begun < order.count) {
      const port = order.ports[begun % order.ports.length] ?? 0;
      begun += 1;
      await openShell(port, order.user);
    }
  };
  await Promise.all(Array.from({ length: order.inFlight }, worker));
  answer({ kind: 'opened', seconds: (performance.now() - started) / 1000 });
}

async function openShell(port: number, user: string): Promise<void> {
  const socket = await connectSocket({ host: '127.0.0.1', port, timeoutMs: 30_000 });
  const { transport, endpoint } = await connectClient({
    link: linkFromSocket(socket),
    user,
    credentials: [{ method: 'publickey', privateKey }],
    verifyHostKey: () => ({ accepted: true }),
  });
  transports.add(transport);
  void transport.ended.then(({ description }) => {
    transports.delete(transport);
    if (!closing) answer({ kind: 'ended', atMs: preciseNowMs(), description });
  });
  const channel = await endpoint.openSession();
  channel.resume();
  const terminal = { kind: 'pty-req', term: 'xterm-256color', columns: 80, rows: 24 } as const;
  const granted =
    (await channel.request('pty-req', terminal, true)) &&
    (await channel.request('shell', { kind: 'shell' }, true));
  if (!granted) throw new Error('the shell was refused');
}

async function close(): Promise<void> {
  closing = true;
  const open = [...transports];
  for (const transport of open) transport.disconnect(11, 'the benchmark has seen enough');
  await Promise.all(open.map((transport) => transport.ended));
  answer({ kind: 'closed' });
}
