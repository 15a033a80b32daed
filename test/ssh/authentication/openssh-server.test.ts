import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PrivateSshd, startPrivateSshd } from '../../../cli/playground/private-sshd.ts';
import { targetAlgorithms } from '../../../ssh/algorithms/index.ts';
import type { ClientCredential } from '../../../ssh/authentication/index.ts';
import { mintCertificate, userExtensions } from '../../../ssh/certificate/index.ts';
import { connectClient } from '../../../ssh/endpoint/index.ts';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKeyType,
  privateKeyAsRemoteSigner,
} from '../../../ssh/keys/index.ts';
import { connectSocket, linkFromSocket } from '../../../ssh/transport/index.ts';
import { patterned, readAll } from '../endpoint/endpoint-pair.ts';
import { keygenDirectory } from '../keys/ssh-keygen.ts';

const directory = keygenDirectory();
const authority = generatePrivateKey('ed25519');
const hostKey = generatePrivateKey('ed25519');
const login = userInfo().username;
let sshd: PrivateSshd;

beforeAll(async () => {
  sshd = await startPrivateSshd({
    directory: directory.path('sshd'),
    authority: formatPublicKeyLine(authority.publicKey),
    hostKey: formatPrivateKey(hostKey, ''),
    extraConfiguration: [`Banner ${directory.write('banner', 'Authorised use only\u001b[2J.\n')}`],
  });
});

afterAll(() => sshd.stop());

async function certified(
  type: PrivateKeyType,
  principal: string,
  signer = authority,
  secondsToGo = 60,
): Promise<ClientCredential> {
  const privateKey = generatePrivateKey(type);
  const now = BigInt(Math.floor(Date.now() / 1000));
  const certificate = await mintCertificate(
    {
      kind: 'user',
      publicKey: privateKey.publicKey,
      keyId: 'sshtrail:s-1:alice@example.com',
      serial: 1n,
      principals: [principal],
      validAfter: now - 60n,
      validBefore: now + BigInt(secondsToGo),
      extensions: userExtensions,
      nonce: Buffer.alloc(32, 1),
    },
    privateKeyAsRemoteSigner(signer),
  );
  return { method: 'publickey', privateKey, certificate };
}

async function connect(
  credentials: readonly ClientCredential[],
  onBanner?: (text: string) => void,
): ReturnType<typeof connectClient> {
  const socket = await connectSocket({ host: '127.0.0.1', port: sshd.port, timeoutMs: 5000 });
  return connectClient({
    link: linkFromSocket(socket),
    user: login,
    credentials,
    algorithms: targetAlgorithms,
    verifyHostKey: (blob) =>
      blob.equals(hostKey.publicKey.blob) ? { accepted: true } : { accepted: false, reason: 'another key' },
    ...(onBanner === undefined ? {} : { onBanner }),
  });
}

describe('our client at the OpenSSH server', () => {
  it.each(['ed25519', 'ecdsa-p256', 'rsa-3072'] as const)(
    'gets in with a certificate for an %s key and runs a command',
    async (type) => {
      const banners: string[] = [];
      const { transport, endpoint } = await connect([await certified(type, login)], (text) =>
        banners.push(text),
      );
      const channel = await endpoint.openSession();

      const started = await channel.request(
        'exec',
        { kind: 'exec', command: Buffer.from('cat; echo err >&2; exit 5') },
        true,
      );
      channel.end('hello');
      const [out, err, exit] = await Promise.all([readAll(channel), readAll(channel.stderr), channel.exited]);
      transport.disconnect(11, 'done');

      expect(started).toBe(true);
      expect([out.toString(), err.toString(), exit]).toEqual([
        'hello',
        'err\n',
        { kind: 'status', status: 5 },
      ]);
      expect(banners).toEqual(['Authorised use only\ufffd[2J.\n']);
      expect((await transport.ended).kind).toBe('local');
    },
  );

  it('is refused with a certificate that is expired, of another principal or of another authority', async () => {
    const credentials = await Promise.all([
      certified('ed25519', login, authority, -1),
      certified('ed25519', 'somebody-else'),
      certified('ed25519', login, generatePrivateKey('ed25519')),
    ]);

    await expect(connect(credentials)).rejects.toMatchObject({ code: 'refused', methods: ['publickey'] });
  });

  it('gets in with the last of several credentials', async () => {
    const credentials: ClientCredential[] = [
      { method: 'publickey', privateKey: generatePrivateKey('ed25519') },
      { method: 'password', password: 'not even asked for' },
      await certified('ed25519', login),
    ];

    const { transport } = await connect(credentials);
    transport.disconnect(11, 'done');

    expect((await transport.ended).kind).toBe('local');
  });

  it('carries 32 MiB of interleaved output and error byte for byte', async () => {
    const { transport, endpoint } = await connect([await certified('ed25519', login)]);
    const channel = await endpoint.openSession();
    const input = patterned(16 * 1024 * 1024, 9);

    await channel.request('exec', { kind: 'exec', command: Buffer.from('tee /dev/stderr') }, true);
    channel.end(input);
    const [out, err] = await Promise.all([readAll(channel), readAll(channel.stderr)]);
    transport.disconnect(11, 'done');

    expect(out.equals(input)).toBe(true);
    expect(err.equals(input)).toBe(true);
  });

  it('opens many sessions in one connection and learns of signals', async () => {
    const { transport, endpoint } = await connect([await certified('ed25519', login)]);
    const channels = await Promise.all(Array.from({ length: 10 }, () => endpoint.openSession()));

    const exits = await Promise.all(
      channels.map(async (channel, index) => {
        const command = index === 0 ? 'kill -TERM $$' : `exit ${index}`;
        await channel.request('exec', { kind: 'exec', command: Buffer.from(command) }, true);
        return channel.exited;
      }),
    );
    transport.disconnect(11, 'done');

    expect(exits[0]).toMatchObject({ kind: 'signal', signal: 'TERM' });
    expect(exits[9]).toEqual({ kind: 'status', status: 9 });
  });

  it('forwards a connection into a closed port as a refusal', async () => {
    const { transport, endpoint } = await connect([await certified('ed25519', login)]);

    await expect(endpoint.openDirectTcpip({ host: '127.0.0.1', port: 1 })).rejects.toMatchObject({
      code: 'open-refused',
      reason: 2,
    });
    transport.disconnect(11, 'done');
  });
});
