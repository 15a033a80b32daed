import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import {
  adoptConnection,
  authenticateUser,
  type ChannelRequest,
  createEndpoint,
  createTransport,
  type EndpointChannel,
  linkFromSocket,
  modernAlgorithms,
  parsePrivateKey,
  type ServerAuthenticator,
  type Transport,
} from '#ssh';
import { answer, obey } from './child-side.ts';

/** A target that costs next to nothing: whoever proves any key gets a shell that prompts once and does no more. */
const hostKey = parsePrivateKey(readFileSync(process.argv[2] ?? '', 'utf8'));
const transports = new Set<Transport>();
const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
  serve(socket).catch(() => socket.destroy());
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  answer({ kind: 'ready', port: typeof address === 'object' && address !== null ? address.port : 0 });
});
obey(
  () => undefined,
  async () => {
    server.close();
    for (const transport of transports) transport.cut(11, 'the benchmark is over');
    await Promise.all([...transports].map((transport) => transport.ended));
  },
);

const authenticator: ServerAuthenticator = {
  acceptsKey: async () => true,
  keyProven: async () => ({ kind: 'success' }),
  startInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
  continueInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
  attemptFailed: async () => undefined,
};

async function serve(socket: Socket): Promise<void> {
  const transport = createTransport(linkFromSocket(adoptConnection(socket)), {
    role: 'server',
    softwareVersion: 'sshtrail_bench',
    algorithms: modernAlgorithms,
    hostKeys: [{ privateKey: hostKey }],
  });
  transports.add(transport);
  void transport.ended.then(() => transports.delete(transport));
  const user = await authenticateUser(transport, {
    authenticator,
    methods: ['publickey'],
    maxAttempts: 6,
    graceMs: 30_000,
  });
  createEndpoint(transport, {
    onOpen: (open) =>
      open.type === 'session' ? { accept: serveShell } : { refuse: { reason: 1, message: 'shells only' } },
  });
  user.accept();
}

function serveShell(channel: EndpointChannel): void {
  channel.resume();
  channel.on('end', () => channel.exit({ kind: 'status', status: 0 }));
  channel.onRequest = ({ detail }: ChannelRequest) => {
    if (detail.kind === 'shell') channel.write('$ ');
    return detail.kind === 'shell' || detail.kind === 'pty-req';
  };
}
