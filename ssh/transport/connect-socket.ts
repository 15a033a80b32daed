import net from 'node:net';
import { registerReceiver, SocketReceiver } from './socket-receiver.ts';
import { TransportError } from './transport-error.ts';

export type ConnectTarget = {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
};

/**
 * Connects by TCP. The socket reads into the shared receive area and is paused until a link opens it.
 *
 * @throws TransportError `connect-failed`, `connect-timed-out`, `aborted`.
 */
export function connectSocket(target: ConnectTarget): Promise<net.Socket> {
  const { host, port, timeoutMs, signal } = target;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) {
      reject(new TransportError('aborted', 'the connection attempt was given up', { cause: signal.reason }));
      return;
    }
    const receiver = new SocketReceiver();
    const socket = net.connect({ host, port, noDelay: true, onread: receiver.onread });
    registerReceiver(socket, receiver);
    socket.pause();
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
      socket.off('connect', onConnect);
      // An error between the connection and its link must not go unheard; the link sees 'close'.
      socket.on('error', ignore);
      socket.off('error', onError);
    };
    const fail = (error: TransportError): void => {
      settle();
      socket.destroy();
      reject(error);
    };
    const onAbort = (): void =>
      fail(new TransportError('aborted', 'the connection attempt was given up', { cause: signal?.reason }));
    const onError = (cause: Error): void =>
      fail(new TransportError('connect-failed', describe(cause), { cause }));
    const onConnect = (): void => {
      settle();
      resolve(socket);
    };
    const timer = setTimeout(
      () => fail(new TransportError('connect-timed-out', `no connection within ${timeoutMs} ms`)),
      timeoutMs,
    );
    signal?.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', onConnect);
    socket.on('error', onError);
  });
}

/** One for all, so that a connection keeps nothing of the attempt. */
function ignore(): void {}

function describe(error: Error): string {
  if (error instanceof AggregateError && error.message === '')
    return error.errors.map((each) => (each instanceof Error ? each.message : String(each))).join('; ');
  return error.message;
}
