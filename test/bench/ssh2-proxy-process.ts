import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import ssh2, { type ClientChannel, type Connection, type ServerChannel } from 'ssh2';
import { answer, obey } from './child-side.ts';

/**
 * The proxy one writes with the npm library ssh2 in an afternoon: it ends the engineer's connection, opens one to the target, and joins
 * their channels with `.pipe()`. It has no policy, no journal and no recording: what it costs, the library costs.
 *
 * Arguments: its host key, the engineer's key, the key it shows to targets (OpenSSH private key files), and the target's port.
 */
const [hostKeyFile = '', engineerKeyFile = '', proxyKeyFile = '', targetPort = ''] = process.argv.slice(2);
const engineer = readKey(engineerKeyFile);
const proxyKey = readFileSync(proxyKeyFile);
/** One cipher on both legs, as the stock clients of the benchmark are told. */
const algorithms = { cipher: ['aes128-gcm@openssh.com'], kex: ['curve25519-sha256'] } as const;

const connections = new Set<Connection>();
const protocol = new ssh2.Server({ hostKeys: [readFileSync(hostKeyFile)], algorithms: mutable() }, serve);
// The library's own listener leaves Nagle's algorithm on, which costs each keystroke 40 ms.
const server = createServer({ noDelay: true }, (socket) => protocol.injectSocket(socket));
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  answer({ kind: 'ready', port: typeof address === 'object' && address !== null ? address.port : 0 });
});
obey(
  () => answer({ kind: 'sessions', count: connections.size }),
  async () => {
    server.close();
    for (const connection of connections) connection.end();
  },
);

function serve(connection: Connection): void {
  const target = new ssh2.Client();
  const targetReady = new Promise<void>((resolve, reject) => {
    target.once('ready', () => {
      target.setNoDelay(true);
      resolve();
    });
    target.once('error', reject);
  });
  targetReady.catch(() => connection.end());
  connections.add(connection);
  connection.once('close', () => {
    connections.delete(connection);
    target.end();
  });
  // A client that is killed leaves a reset behind.
  connection.on('error', () => undefined);
  target.on('error', () => undefined);
  target.once('close', () => connection.end());
  connection.on('authentication', (context) => {
    if (context.method !== 'publickey' || !context.key.data.equals(engineer.getPublicSSH()))
      return context.reject(['publickey']);
    if (context.signature === undefined || context.blob === undefined) return context.accept();
    // Where it fails the library gives an error back, which its types do not say.
    const proved: unknown = engineer.verify(context.blob, context.signature, context.hashAlgo);
    if (proved !== true) return context.reject();
    context.accept();
    const [username = ''] = context.username.split('@');
    target.connect({
      host: '127.0.0.1',
      port: Number(targetPort),
      username,
      privateKey: proxyKey,
      algorithms: mutable(),
    });
  });
  connection.on('session', (accept) => serveSession(accept(), target, targetReady));
}

function serveSession(session: ssh2.Session, target: ssh2.Client, targetReady: Promise<void>): void {
  let terminal: ssh2.PseudoTtyOptions | undefined;
  session.on('pty', (grant, _refuse, wanted) => {
    terminal = wanted;
    grant?.();
  });
  // Granted when the target has granted it, as through a gateway: who counts starts counts whole ones.
  session.on('shell', (grant, refuse) => {
    targetReady
      .then(() =>
        target.shell(terminal ?? {}, (error, far) => {
          if (error === undefined) join(grant(), far);
          else refuse?.();
        }),
      )
      // The target has gone meanwhile.
      .catch(() => refuse?.());
  });
  session.on('exec', (grant, _refuse, { command }) => {
    const channel = grant();
    targetReady.then(
      () =>
        target.exec(command, terminal === undefined ? {} : { pty: terminal }, (error, far) => {
          if (error === undefined) join(channel, far);
          else channel.end();
        }),
      () => channel.end(),
    );
  });
}

function join(near: ServerChannel, far: ClientChannel): void {
  near.pipe(far);
  far.pipe(near, { end: false });
  far.stderr.pipe(near.stderr, { end: false });
  far.once('exit', (status: number | null) => near.exit(status ?? 255));
  far.once('close', () => near.end());
  near.once('close', () => far.end());
}

function readKey(file: string): ssh2.ParsedKey {
  const key = ssh2.utils.parseKey(readFileSync(file));
  if (key instanceof Error) throw key;
  return Array.isArray(key) ? key[0] : key;
}

/** The library's types want arrays that may be written to. */
function mutable(): ssh2.Algorithms {
  return { cipher: [...algorithms.cipher], kex: [...algorithms.kex] };
}
