import net from 'node:net';
import { registerReceiver, SocketReceiver } from './socket-receiver.ts';

/**
 * Makes an accepted connection read into the shared receive area, which `net.createServer` has no option for. The server
 * must have `pauseOnConnect: true`. Returns the socket to use from now on; the one passed in is an empty shell
 * afterwards. Where the socket's handle cannot be had (a private field), the socket itself comes back and delivers by
 * 'data' events.
 *
 * The server no longer knows the connection: `close()` does not wait for it.
 */
export function adoptConnection(accepted: net.Socket): net.Socket {
  const handle: unknown = Reflect.get(accepted, '_handle');
  if (accepted.destroyed || typeof handle !== 'object' || handle === null || !('useUserBuffer' in handle)) {
    ignoreErrors(accepted);
    return accepted;
  }
  const receiver = new SocketReceiver();
  Reflect.set(accepted, '_handle', null);
  const socket: net.Socket = Reflect.construct(net.Socket, [
    { handle, onread: receiver.onread, pauseOnCreate: true, readable: true, writable: true },
  ]);
  registerReceiver(socket, receiver);
  ignoreErrors(socket);
  // Without its handle nothing is closed by this; the server's count of connections is put right.
  accepted.destroy();
  return socket;
}

/** A reset before the link opens is no more than a closed connection, which the link sees. */
function ignoreErrors(socket: net.Socket): void {
  socket.on('error', ignore);
}

function ignore(): void {}
