import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { modernAlgorithms } from '../../../ssh/algorithms/index.ts';
import { authenticateUser } from '../../../ssh/authentication/index.ts';
import {
  type ConnectClientOptions,
  connectClient,
  createEndpoint,
  type EndpointChannel,
} from '../../../ssh/endpoint/index.ts';
import { generatePrivateKey, type PrivateKey } from '../../../ssh/keys/index.ts';
import type { TransportEnd } from '../../../ssh/transport/contract.ts';
import {
  connectSocket,
  createTransport,
  linkFromDuplex,
  linkFromSocket,
} from '../../../ssh/transport/index.ts';
import { type CommandServer, startCommandServer } from '../../support/command-server.ts';
import { authenticationOptions, scriptedAuthenticator } from '../authentication/scripted-authenticator.ts';
import { patterned, readAll } from './endpoint-pair.ts';

const alice = generatePrivateKey('ed25519');
const onlyAlice = authenticationOptions(
  scriptedAuthenticator({ accepts: (key) => key.publicKey.fingerprint === alice.publicKey.fingerprint }),
);
let server: CommandServer;

beforeAll(async () => {
  server = await startCommandServer(onlyAlice);
});

afterAll(() => server.close());

async function connect(
  privateKey: PrivateKey = alice,
  overrides: Partial<ConnectClientOptions> = {},
  { port } = server,
): ReturnType<typeof connectClient> {
  return connectClient({
    link: overrides.link ?? linkFromSocket(await connectSocket({ host: '127.0.0.1', port, timeoutMs: 5000 })),
    user: 'alice',
    credentials: [{ method: 'publickey', privateKey }],
    verifyHostKey: () => ({ accepted: true }),
    ...overrides,
  });
}

async function exec(channel: EndpointChannel, command: string): Promise<void> {
  const started = await channel.request('exec', { kind: 'exec', command: Buffer.from(command) }, true);
  if (!started) throw new Error(`the server did not start ${command}`);
}

describe('our client at our server, over the real transport', () => {
  it('runs commands side by side while both ends change keys', async () => {
    const { transport, endpoint } = await connect();
    const far = server.transports.at(-1);
    const input = patterned(4 * 1024 * 1024, 11);

    const runs = Array.from({ length: 4 }, async (_, index) => {
      const channel = await endpoint.openSession();
      await exec(channel, 'cat');
      if (index % 2 === 0) transport.rekey();
      else far?.rekey();
      channel.end(input);
      const output = await readAll(channel);
      return output.equals(input) && (await channel.exited);
    });

    expect(await Promise.all(runs)).toEqual(Array.from({ length: 4 }, () => ({ kind: 'status', status: 0 })));
    transport.disconnect(11, 'done');
  });

  it('keeps its backlog small with many full windows at once, for a peer that stops reading', async () => {
    const { transport, endpoint } = await connect();
    const channels = await Promise.all(
      Array.from({ length: 16 }, () => endpoint.openDirectTcpip({ host: '192.0.2.1', port: 7 })),
    );
    const far = server.transports.at(-1);
    const data = patterned(2 * 1024 * 1024, 13);
    let highest = 0;

    far?.setReadPaused(true);
    for (const channel of channels) channel.end(data);
    for (let turn = 0; turn < 200; turn += 1) {
      await setImmediate();
      highest = Math.max(highest, transport.backlogBytes);
    }
    far?.setReadPaused(false);
    const echoes = await Promise.all(channels.map(readAll));
    transport.disconnect(11, 'done');

    expect(highest).toBeLessThan(2 * 1024 * 1024);
    expect(echoes.every((echo) => echo.equals(data))).toBe(true);
  });

  it('speaks SSH within a channel of SSH', async () => {
    const innerHostKey = generatePrivateKey('ed25519');
    const innerEnd = Promise.withResolvers<TransportEnd>();
    const jump = await startCommandServer(onlyAlice, {
      onDirectTcpip: (tunnel) => {
        const inner = createTransport(linkFromDuplex(tunnel), {
          role: 'server',
          softwareVersion: 'inner',
          algorithms: modernAlgorithms,
          hostKeys: [{ privateKey: innerHostKey }],
        });
        void inner.ended.then(innerEnd.resolve);
        void (async () => {
          const user = await authenticateUser(inner, onlyAlice);
          createEndpoint(inner, { onOpen: () => ({ accept: (channel) => channel.pipe(channel) }) });
          user.accept();
        })();
      },
    });
    const outer = await connect(alice, {}, jump);
    const tunnel = await outer.endpoint.openDirectTcpip({ host: 'inner.example.com', port: 22 });
    const inner = await connect(alice, {
      link: linkFromDuplex(tunnel),
      verifyHostKey: (blob) =>
        blob.equals(innerHostKey.publicKey.blob)
          ? { accepted: true }
          : { accepted: false, reason: 'another' },
    });
    const echo = await inner.endpoint.openSession();
    const data = patterned(3 * 1024 * 1024, 12);

    echo.end(data);
    const echoed = await readAll(echo);
    inner.transport.disconnect(11, 'done');
    const end = await innerEnd.promise;
    outer.transport.disconnect(11, 'done');
    await jump.close();

    expect(echoed.equals(data)).toBe(true);
    expect(end).toMatchObject({ kind: 'disconnect', description: 'done' });
  });

  it('rejects with the reason where the host key is not accepted', async () => {
    const outcome = connect(alice, {
      verifyHostKey: () => ({ accepted: false, reason: 'the key has changed' }),
    });

    await expect(outcome).rejects.toMatchObject({
      name: 'TransportError',
      message: expect.stringContaining('the key has changed'),
    });
  });

  it('rejects with the methods left where the key is not accepted', async () => {
    const outcome = connect(generatePrivateKey('ed25519'));

    await expect(outcome).rejects.toMatchObject({
      name: 'AuthenticationError',
      code: 'refused',
      methods: ['publickey', 'keyboard-interactive'],
    });
  });

  it('ends channels, requests and the endpoint when the server goes', async () => {
    const { endpoint } = await connect();
    const channel = await endpoint.openSession();
    await exec(channel, 'cat');

    server.transports.at(-1)?.cut(11, 'session revoked');

    expect(await endpoint.ended).toMatchObject({ kind: 'disconnect', description: 'session revoked' });
    expect(await channel.exited).toBeUndefined();
    await expect(endpoint.openSession()).rejects.toMatchObject({ code: 'connection-ended' });
  });
});
