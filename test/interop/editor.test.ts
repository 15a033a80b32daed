import { type ChildProcess, spawn } from 'node:child_process';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: Stack;
let config: string;

beforeAll(async () => {
  stack = await startStack();
  config = stack.writeJumpConfiguration(stack.running.gateway.address.port);
});

afterAll(async () => {
  await stack.close();
});

/** A server as an editor installs it: listens on loopback and on a socket, says where, and answers each line in capitals. */
const serverScript = (socket: string) =>
  `exec python3 -c '
import socketserver, threading, os
class Upper(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile: self.wfile.write(line.upper()); self.wfile.flush()
class Tcp(socketserver.ThreadingTCPServer): daemon_threads = True
class Unix(socketserver.ThreadingUnixStreamServer): daemon_threads = True
tcp = Tcp(("127.0.0.1", 0), Upper)
unix = Unix("${socket}", Upper)
threading.Thread(target=unix.serve_forever, daemon=True).start()
threading.Thread(target=lambda: (os.read(0, 1), os._exit(0)), daemon=True).start()
print("listening on", tcp.server_address[1], flush=True)
tcp.serve_forever()
'`;

describe('the way a remote editor connects', () => {
  test.each([
    ['directly', () => ['-l', `${stack.login}@web-1`, 'gateway']],
    ['through a jump', () => ['-J', 'gateway', 'web-1']],
  ])(
    'works %s: a server started by exec, then tunnels to its port and its socket',
    async (_how, destination) => {
      const folder = temporaryFolder();
      const remote = join(folder, 'server.sock');
      const local = join(folder, 'local.sock');
      const control = join(folder, 'control');
      const dynamic = await stack.freePort();
      const server = spawn(
        'ssh',
        [
          '-F',
          config,
          '-T',
          '-M',
          '-S',
          control,
          '-D',
          `127.0.0.1:${dynamic}`,
          '-L',
          `${local}:${remote}`,
          ...destination(),
          serverScript(remote),
        ],
        { stdio: ['pipe', 'pipe', 'pipe'] },
      );
      try {
        const port = await portOf(server);

        const overTcp = await throughSocks(dynamic, port, 'by tcp\n');
        const overUnix = await lineFrom(connect(local), 'by socket\n');

        expect([overTcp, overUnix]).toEqual(['BY TCP', 'BY SOCKET']);
        const forwards = await stack.eventually(
          `SELECT forward_host, forward_port FROM events WHERE event_name = 'OpenPortForward' AND forward_host = '${remote}'`,
        );
        expect(forwards).toHaveLength(1);
        expect(
          await stack.query(
            `SELECT 1 FROM events WHERE event_name = 'OpenPortForward' AND forward_host = '127.0.0.1' AND forward_port = ${port}`,
          ),
        ).toHaveLength(1);
      } finally {
        server.stdin.end('x');
        server.kill();
      }
    },
  );
});

async function portOf(server: ChildProcess): Promise<number> {
  let out = '';
  let errors = '';
  server.stdout?.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  server.stderr?.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  for (let tries = 0; tries < 200; tries += 1) {
    const port = /listening on (\d+)/.exec(out)?.[1];
    if (port !== undefined) return Number(port);
    await sleep(50);
  }
  throw new Error(`the server did not start: ${out}${errors}`);
}

/** SOCKS 5 without authentication (RFC 1928), as ssh -D speaks it. */
async function throughSocks(proxy: number, port: number, line: string): Promise<string> {
  const socket = connect(proxy, '127.0.0.1');
  socket.write(Buffer.of(5, 1, 0));
  await bytesFrom(socket, 2);
  socket.write(Buffer.of(5, 1, 0, 1, 127, 0, 0, 1, port >> 8, port & 0xff));
  await bytesFrom(socket, 10);
  return lineFrom(socket, line);
}

async function bytesFrom(socket: Socket, count: number): Promise<Buffer> {
  for (;;) {
    const bytes: unknown = socket.read(count);
    if (Buffer.isBuffer(bytes)) return bytes;
    await new Promise((resolve, reject) => {
      socket.once('readable', resolve);
      socket.once('error', reject);
    });
  }
}

async function lineFrom(socket: Socket, line: string): Promise<string> {
  socket.write(line);
  try {
    return (await bytesFrom(socket, line.length)).toString().trimEnd();
  } finally {
    socket.destroy();
  }
}
