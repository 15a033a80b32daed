import { createServer, type Socket } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import {
  adoptConnection,
  algorithmProfiles,
  createTransport,
  generatePrivateKey,
  type HostKey,
  linkFromSocket,
  mintCertificate,
  privateKeyAsRemoteSigner,
} from '#ssh';
import { scanHost } from '../../cli/scan-host.ts';

async function listening(serve: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function serverWith(hostKeys: readonly HostKey[], seen: string[] = []): Promise<number> {
  return listening((socket) => {
    const transport = createTransport(linkFromSocket(adoptConnection(socket)), {
      role: 'server',
      softwareVersion: 'test',
      algorithms: algorithmProfiles.compatible.transport,
      hostKeys,
    });
    transport.ready.then(
      () => seen.push('ready'),
      () => undefined,
    );
    transport.onMessage = () => seen.push('message');
  });
}

function scan(port: number, timeoutMs = 5_000) {
  return scanHost({ host: '127.0.0.1', port, timeoutMs, signal: new AbortController().signal });
}

describe('scanHost', () => {
  test('finds every key of a server, and says nothing to it beside', async () => {
    const keys = (['ed25519', 'ecdsa-p256', 'rsa-3072'] as const).map((type) => generatePrivateKey(type));
    const seen: string[] = [];
    const port = await serverWith(
      keys.map((privateKey) => ({ privateKey })),
      seen,
    );

    const scanned = await scan(port);

    expect(scanned.keys.map(({ fingerprint }) => fingerprint)).toEqual(
      keys.map(({ publicKey }) => publicKey.fingerprint),
    );
    expect(scanned.certificate).toBeUndefined();
    expect(seen).not.toContain('message');
  });

  test('finds who vouches for a server', async () => {
    const [privateKey, authority] = [generatePrivateKey('ed25519'), generatePrivateKey('ed25519')];
    const certificate = await mintCertificate(
      {
        kind: 'host',
        publicKey: privateKey.publicKey,
        keyId: 'web-1',
        serial: 1n,
        principals: ['web-1.example.com'],
        validAfter: 0n,
        validBefore: 4_000_000_000n,
        nonce: Buffer.alloc(32, 1),
      },
      privateKeyAsRemoteSigner(authority),
    );
    const port = await serverWith([{ privateKey, certificate }, { privateKey }]);

    const scanned = await scan(port);

    expect(scanned.keys).toHaveLength(1);
    expect(scanned.certificate?.principals).toEqual(['web-1.example.com']);
    expect(scanned.certificate?.signatureKey.fingerprint).toBe(authority.publicKey.fingerprint);
  });

  test.each([
    ['talks something else', (socket: Socket) => void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['ends at once', (socket: Socket) => void socket.destroy()],
    ['sends noise', (socket: Socket) => void socket.write(`SSH-2.0-x\r\n${'\u0000\u0001'.repeat(500)}`)],
    ['says nothing', () => undefined],
  ])('gives up on a server that %s', async (_name, serve) => {
    const port = await listening(serve);

    await expect(scan(port, 300)).rejects.toMatchObject({ name: 'TransportError' });
  });

  test('gives up when nobody waits any more', async () => {
    const port = await listening(() => undefined);
    const waiting = new AbortController();

    const scanning = scanHost({ host: '127.0.0.1', port, timeoutMs: 60_000, signal: waiting.signal });
    waiting.abort();

    await expect(scanning).rejects.toMatchObject({ name: 'TransportError' });
  });
});
