import type { Server } from 'node:net';
import { GatewayError } from './gateway-error.ts';

/** Where a server listens, the port chosen where 0 was asked for. @throws GatewayError that says what to do about it. */
export async function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<{ readonly host: string; readonly port: number }> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(listenError(error, at));
    server.once('error', refuse);
    server.listen(at.port, at.host, () => {
      server.removeListener('error', refuse);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new GatewayError('cannot-listen', 'the system gave no TCP address to listen on');
  return { host: address.address, port: address.port };
}

function listenError(
  error: NodeJS.ErrnoException,
  at: { readonly host: string; readonly port: number },
): GatewayError {
  const where = `${at.host}:${at.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new GatewayError(
        'port-taken',
        `${where} is taken by another program; choose another port with --ssh-port N`,
        { cause: error },
      );
    case 'EACCES':
      return new GatewayError(
        'port-forbidden',
        `this user may not listen on ${where}; choose a port above 1023 with --ssh-port N`,
        { cause: error },
      );
    default:
      return new GatewayError('cannot-listen', `cannot listen on ${where}: ${error.message}`, {
        cause: error,
      });
  }
}
