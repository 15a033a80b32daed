import { spawn } from 'node:child_process';
import net from 'node:net';
import { modernAlgorithms } from '../../ssh/algorithms/index.ts';
import {
  type AuthenticatedUser,
  AuthenticationError,
  acceptedSignatureAlgorithms,
  authenticateUser,
  type ServerAuthenticationOptions,
} from '../../ssh/authentication/index.ts';
import { createEndpoint, type EndpointChannel, type OpenDecision } from '../../ssh/endpoint/index.ts';
import { formatKnownHostsLine, generatePrivateKey } from '../../ssh/keys/index.ts';
import { createTransport, linkFromSocket, type Transport } from '../../ssh/transport/index.ts';
import { OpenFailureReason } from '../../ssh/wire/index.ts';

/** An SSH server on 127.0.0.1 that is ours from the first byte and runs commands in /bin/sh. */
export type CommandServer = {
  readonly port: number;
  /** For a known_hosts file. */
  readonly knownHostsLine: string;
  /** How each login so far came out: the user, or the code of the error. */
  readonly logins: string[];
  readonly transports: Transport[];
  close(): Promise<void>;
};

export type CommandServerHooks = {
  readonly beforeAccept?: (user: AuthenticatedUser) => Promise<void>;
  /** Forwarded connections are echoed unless this takes them. */
  readonly onDirectTcpip?: (channel: EndpointChannel) => void;
};

export async function startCommandServer(
  authentication: ServerAuthenticationOptions,
  hooks: CommandServerHooks = {},
): Promise<CommandServer> {
  const hostKey = generatePrivateKey('ed25519');
  const logins: string[] = [];
  const transports: Transport[] = [];
  const serve = async (transport: Transport): Promise<void> => {
    try {
      const user = await authenticateUser(transport, authentication);
      logins.push(user.user);
      await hooks.beforeAccept?.(user);
      createEndpoint(transport, { onOpen: ({ type, detail }) => openDecision(type, detail, hooks) });
      user.accept();
    } catch (error) {
      if (!(error instanceof AuthenticationError)) throw error;
      logins.push(error.code);
    }
  };
  const listener = net.createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    const transport = createTransport(linkFromSocket(socket), {
      role: 'server',
      softwareVersion: 'test',
      algorithms: modernAlgorithms,
      hostKeys: [{ privateKey: hostKey }],
      serverSignatureAlgorithms: acceptedSignatureAlgorithms,
    });
    transports.push(transport);
    void serve(transport);
  });
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const address = listener.address();
  if (address === null || typeof address === 'string') throw new Error('the listener has no port');
  const { port } = address;
  return {
    port,
    knownHostsLine: formatKnownHostsLine({ patterns: [`[127.0.0.1]:${port}`], publicKey: hostKey.publicKey }),
    logins,
    transports,
    close: async () => {
      for (const transport of transports) transport.cut(11, 'the test is over');
      await new Promise((resolve) => listener.close(resolve));
    },
  };
}

function openDecision(
  type: string,
  detail: { readonly kind: string },
  hooks: CommandServerHooks,
): OpenDecision {
  if (detail.kind === 'session') return { accept: serveCommands };
  if (detail.kind === 'direct-tcpip')
    return { accept: hooks.onDirectTcpip ?? ((channel) => channel.pipe(channel)) };
  return { refuse: { reason: OpenFailureReason.unknownChannelType, message: `no channels of type ${type}` } };
}

function serveCommands(channel: EndpointChannel): void {
  channel.onRequest = ({ detail }) => {
    if (detail.kind !== 'exec') return false;
    const child = spawn('/bin/sh', ['-c', detail.command.toString()]);
    channel.pipe(child.stdin);
    // A command that does not read its input is no fault.
    child.stdin.on('error', () => undefined);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    child.on('close', (code, signal) =>
      channel.exit(
        signal === null
          ? { kind: 'status', status: code ?? 255 }
          : { kind: 'signal', signal: signal.slice('SIG'.length), coreDumped: false, message: '' },
      ),
    );
    void channel.over.then(() => child.kill('SIGHUP'));
    return true;
  };
}
