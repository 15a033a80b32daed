import { createServer } from 'node:net';
import ssh2, { type AuthContext, type Connection } from 'ssh2';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '../../ssh/index.ts';

/** How a server asks for its password. */
export type Asking =
  | { readonly method: 'password' }
  | {
      readonly method: 'keyboard-interactive';
      readonly rounds: readonly (readonly { readonly prompt: string; readonly echo: boolean }[])[];
    };

export type PasswordServer = {
  readonly port: number;
  /** `type base64`. */
  readonly hostKeyLine: string;
  /** What it was told as a password, in order. */
  readonly told: readonly string[];
  stop(): Promise<void>;
};

/** A server of another make, by the npm library ssh2, which lets in with a password alone and writes `in` for any command. */
export async function startPasswordServer(password: string, asking: Asking): Promise<PasswordServer> {
  const hostKey = generatePrivateKey('ed25519');
  const told: string[] = [];
  const connections = new Set<Connection>();
  const protocol = new ssh2.Server({ hostKeys: [formatPrivateKey(hostKey, 'target')] }, (connection) => {
    connections.add(connection);
    connection.once('close', () => connections.delete(connection));
    // A gateway that was refused cuts the connection.
    connection.on('error', () => undefined);
    connection.on('authentication', (context) => judge(context, password, asking, told));
    connection.on('session', (accept) => {
      const session = accept();
      session.on('exec', (acceptExec) => {
        const channel = acceptExec();
        channel.write('in\n');
        channel.exit(0);
        channel.end();
      });
    });
  });
  const server = createServer((socket) => protocol.injectSocket(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : 0,
    hostKeyLine: formatPublicKeyLine(hostKey.publicKey),
    told,
    async stop() {
      for (const connection of connections) connection.end();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function judge(context: AuthContext, password: string, asking: Asking, told: string[]): void {
  if (context.method === 'password' && asking.method === 'password') {
    told.push(context.password);
    return context.password === password ? context.accept() : context.reject([asking.method]);
  }
  if (context.method !== 'keyboard-interactive' || asking.method !== 'keyboard-interactive')
    return context.reject([asking.method]);
  const { rounds } = asking;
  const ask = (round: number): void => {
    const prompts = rounds[round];
    if (prompts === undefined)
      return told.at(-1) === password ? context.accept() : context.reject([asking.method]);
    context.prompt([...prompts], (answers) => {
      told.push(...answers);
      ask(round + 1);
    });
  };
  ask(0);
}
