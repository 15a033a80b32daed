import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { createServer, type Socket } from 'node:net';
import { userInfo } from 'node:os';
import {
  adoptConnection,
  authenticateUser,
  type ChannelRequest,
  createEndpoint,
  createTransport,
  type EndpointChannel,
  linkFromSocket,
  modernAlgorithms,
  type PrivateKey,
  parsePublicKeyLine,
  type ServerAuthenticator,
  type Transport,
  verifyCertificate,
} from '#ssh';

export type BuiltinTargetOptions = {
  /** `type base64` of the CA whose user certificates it accepts. */
  readonly authority: string;
  readonly hostKey: PrivateKey;
  /** The one account it knows: the user who runs this process. */
  readonly login: string;
};

export type BuiltinTarget = { readonly port: number; stop(): Promise<void> };

/**
 * A small SSH server for machines without sshd, so that the playground needs nothing but Node: shells and commands as the user who runs
 * it, on 127.0.0.1, for certificates of one authority. No sftp and no forwarding; a terminal comes from script(1).
 */
export async function startBuiltinTarget(options: BuiltinTargetOptions): Promise<BuiltinTarget> {
  const transports = new Set<Transport>();
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    const transport = startTransport(socket, options.hostKey);
    transports.add(transport);
    void transport.ended.then(() => transports.delete(transport));
    // A login that fails ends its transport; there is nobody else to tell.
    serve(transport, options).catch(() => transport.cut(11, 'the login failed'));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return {
    port,
    async stop() {
      server.close();
      for (const transport of transports) transport.cut(11, 'the playground stops');
      await Promise.all([...transports].map((transport) => transport.ended));
    },
  };
}

function startTransport(socket: Socket, hostKey: PrivateKey): Transport {
  return createTransport(linkFromSocket(adoptConnection(socket)), {
    role: 'server',
    softwareVersion: 'sshtrail_playground',
    algorithms: modernAlgorithms,
    hostKeys: [{ privateKey: hostKey }],
  });
}

async function serve(transport: Transport, options: BuiltinTargetOptions): Promise<void> {
  const user = await authenticateUser(transport, {
    authenticator: certificatesOnly(options),
    methods: ['publickey'],
    maxAttempts: 6,
    graceMs: 30_000,
  });
  createEndpoint(transport, {
    onOpen: (open) =>
      open.type === 'session'
        ? { accept: serveSession }
        : {
            refuse: {
              reason: 1,
              message: 'the playground forwards nothing; install openssh-server for that',
            },
          },
  });
  user.accept();
}

function certificatesOnly(options: BuiltinTargetOptions): ServerAuthenticator {
  const authorities = [parsePublicKeyLine(options.authority).publicKey];
  return {
    async acceptsKey(user, key) {
      if (key.kind !== 'certificate' || user !== options.login) return false;
      return verifyCertificate(key.certificate, {
        kind: 'user',
        authorities,
        principal: user,
        nowSeconds: Math.floor(Date.now() / 1000),
      }).ok;
    },
    keyProven: async () => ({ kind: 'success' }),
    startInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
    continueInteractive: async () => ({ kind: 'done', verdict: { kind: 'failure' } }),
    attemptFailed: async () => undefined,
  };
}

function serveSession(channel: EndpointChannel): void {
  const environment: Record<string, string> = {};
  let terminal: { readonly columns: number; readonly rows: number } | undefined;
  let started = false;

  channel.onRequest = (request: ChannelRequest) => {
    const { detail } = request;
    switch (detail.kind) {
      case 'pty-req':
        terminal = { columns: detail.columns, rows: detail.rows };
        environment['TERM'] = detail.term;
        return true;
      case 'env':
        if (!/^(LANG|LC_[A-Z]+)$/.test(detail.name)) return false;
        environment[detail.name] = detail.value.toString('utf8');
        return true;
      case 'shell':
      case 'exec':
        if (started) return false;
        started = true;
        connect(
          channel,
          startProgram(
            detail.kind === 'exec' ? detail.command.toString('utf8') : undefined,
            terminal,
            environment,
          ),
        );
        return true;
      case 'subsystem':
      case 'signal':
      case 'window-change':
      case 'exit-status':
      case 'exit-signal':
      case 'x11-req':
      case 'auth-agent-req':
      case 'other':
        return false;
    }
  };
}

function startProgram(
  command: string | undefined,
  terminal: { readonly columns: number; readonly rows: number } | undefined,
  environment: Record<string, string>,
): ChildProcessWithoutNullStreams {
  const { shell, homedir } = userInfo();
  const program = shell ?? '/bin/sh';
  const options = {
    cwd: homedir,
    env: { PATH: process.env['PATH'], HOME: homedir, SHELL: program, ...environment },
  };
  if (terminal === undefined) return spawn(program, command === undefined ? [] : ['-c', command], options);

  const line = `stty rows ${terminal.rows} cols ${terminal.columns}; exec ${command === undefined ? `${quoted(program)} -l` : `${quoted(program)} -c ${quoted(command)}`}`;
  const argumentsOfScript =
    process.platform === 'darwin' ? ['-q', '/dev/null', '/bin/sh', '-c', line] : ['-qec', line, '/dev/null'];
  return spawn('script', argumentsOfScript, options);
}

function connect(channel: EndpointChannel, child: ChildProcessWithoutNullStreams): void {
  channel.pipe(child.stdin);
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  // The program may end before it has read everything; the channel going away ends it.
  child.stdin.on('error', () => undefined);
  channel.once('close', () => child.kill('SIGHUP'));
  child.once('error', (error) => {
    channel.stderr.write(`${error.message}\r\n`);
    channel.exit({ kind: 'status', status: 127 });
  });
  child.once('close', (status, signal) => {
    channel.exit(
      signal === null
        ? { kind: 'status', status: status ?? 0 }
        : { kind: 'signal', signal: signal.replace(/^SIG/, ''), coreDumped: false, message: '' },
    );
  });
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
