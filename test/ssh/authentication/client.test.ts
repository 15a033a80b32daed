import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  AuthenticationError,
  authenticateToTarget,
  authenticateUser,
  type ClientAuthenticationOptions,
  type ClientCredential,
} from '../../../ssh/authentication/index.ts';
import { mintCertificate } from '../../../ssh/certificate/index.ts';
import { generatePrivateKey, privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';
import { WireReader, WireWriter } from '../../../ssh/wire/index.ts';
import {
  type MemoryTransportOptions,
  type MemoryTransports,
  memoryTransports,
} from '../../support/memory-transport.ts';
import { type MessagePeer, messagePeer } from '../../support/message-peer.ts';
import { askForCode, authenticationOptions, scriptedAuthenticator } from './scripted-authenticator.ts';
import { banner, failure, infoRequest, serviceAccept, success } from './userauth-payload.ts';

const key = generatePrivateKey('ed25519');
const rsa = generatePrivateKey('rsa-3072');
const withKey: ClientCredential = { method: 'publickey', privateKey: key };
const withPassword: ClientCredential = { method: 'password', password: 'correct horse' };

type Login = {
  readonly transports: MemoryTransports;
  readonly target: MessagePeer;
  readonly outcome: Promise<void>;
  /** The next message to the target as `METHOD algorithm` or `message N`. */
  next(): Promise<string>;
};

/** Our client against a target played by hand. */
function startLogin(
  credentials: readonly ClientCredential[],
  overrides: Partial<ClientAuthenticationOptions> = {},
  transportOptions: MemoryTransportOptions = {},
): Login {
  const transports = memoryTransports(transportOptions);
  const outcome = authenticateToTarget(transports.client, {
    user: 'deploy',
    credentials,
    timeoutMs: 10_000,
    ...overrides,
  });
  outcome.catch(() => undefined);
  const target = messagePeer(transports.server);
  return { transports, target, outcome, next: async () => describeRequest(await target.next()) };
}

function describeRequest(payload: Buffer): string {
  if (payload[0] !== 50) return `message ${payload[0]}`;
  const reader = new WireReader(payload, 1);
  const user = reader.text();
  reader.text();
  const method = reader.text();
  if (method !== 'publickey') return `${user} ${method}`;
  return `${user} publickey ${reader.boolean() ? 'signed' : 'query'} ${reader.text()}`;
}

async function refusal(outcome: Promise<void>): Promise<AuthenticationError> {
  const error: unknown = await outcome.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AuthenticationError))
    throw new Error(`not an AuthenticationError: ${String(error)}`);
  return error;
}

describe('the first flight', () => {
  it('holds the service request and the signed key together', async () => {
    const login = startLogin([withKey]);

    expect(await login.next()).toBe('message 5');
    expect(await login.next()).toBe('deploy publickey signed ssh-ed25519');
  });

  it('asks for the methods before it shows a password', async () => {
    const login = startLogin([withPassword]);
    await login.next();
    const first = await login.next();

    login.target.send(serviceAccept);
    login.target.send(failure(['publickey']));

    expect(first).toBe('deploy none');
    expect(await refusal(login.outcome)).toMatchObject({ code: 'refused', methods: ['publickey'] });
    expect(login.transports.client.sent).toEqual([5, 50]);
  });

  it.each([
    [['rsa-sha2-256', 'ssh-ed25519'], 'rsa-sha2-256'],
    [['rsa-sha2-256', 'rsa-sha2-512'], 'rsa-sha2-512'],
  ] as const)('signs with RSA as the target announced: %j', async (signatureAlgorithms, expected) => {
    const login = startLogin([{ method: 'publickey', privateKey: rsa }], {}, { signatureAlgorithms });

    await login.next();

    expect(await login.next()).toBe(`deploy publickey signed ${expected}`);
  });

  it('waits with RSA for the service to be accepted where nothing was announced yet', async () => {
    const login = startLogin([{ method: 'publickey', privateKey: rsa }]);
    await login.next();

    login.target.send(serviceAccept);

    expect(await login.next()).toBe('deploy publickey signed rsa-sha2-256');
    expect(login.transports.client.sent).toEqual([5, 50]);
  });
});

describe('our client at our server', () => {
  it('gets in with a certificate and leaves what follows to the next layer', async () => {
    const certificate = await mintCertificate(
      {
        kind: 'user',
        publicKey: key.publicKey,
        keyId: 'sshtrail:session:alice',
        serial: 3n,
        principals: ['deploy'],
        validAfter: 0n,
        validBefore: 60n,
        nonce: Buffer.alloc(32, 1),
      },
      privateKeyAsRemoteSigner(rsa),
    );
    const authenticator = scriptedAuthenticator();
    const transports = memoryTransports();
    const received: number[] = [];

    const server = authenticateUser(transports.server, authenticationOptions(authenticator));
    const client = authenticateToTarget(transports.client, {
      user: 'deploy',
      credentials: [{ method: 'publickey', privateKey: key, certificate }],
      timeoutMs: 10_000,
    });
    (await server).accept();
    transports.server.send(Buffer.of(80));
    await client;
    transports.client.onMessage = (plain) => received.push(plain.readUInt8(1));

    await expect.poll(() => received).toEqual([80]);
    expect(authenticator.proven[0]).toMatchObject({
      user: 'deploy',
      key: {
        offered: { kind: 'certificate', certificate: { serial: 3n } },
        signatureAlgorithm: 'ssh-ed25519',
      },
    });
  });

  it('goes on with a code after a partial success', async () => {
    const authenticator = scriptedAuthenticator({
      proven: () => ({ kind: 'partial', continueWith: ['keyboard-interactive'] }),
      start: () => askForCode,
      continue: ([code]) => ({
        kind: 'done',
        verdict: code === '42' ? { kind: 'success' } : { kind: 'failure' },
      }),
    });
    const transports = memoryTransports();
    const questions: string[] = [];

    const server = authenticateUser(transports.server, authenticationOptions(authenticator));
    const client = authenticateToTarget(transports.client, {
      user: 'deploy',
      credentials: [
        withKey,
        {
          method: 'keyboard-interactive',
          respond: async (request) => {
            questions.push(...request.prompts.map((prompt) => prompt.text));
            return ['42'];
          },
        },
      ],
      timeoutMs: 10_000,
    });
    (await server).accept();
    await client;

    expect(questions).toEqual(['Code: ']);
  });
});

describe('credentials in order', () => {
  it('tries each once, where the target goes on with its method', async () => {
    const login = startLogin([withKey, withPassword, { method: 'publickey', privateKey: rsa }]);
    login.target.send(serviceAccept);
    login.target.send(failure(['publickey']));
    login.target.send(failure(['password', 'hostbased'], true));
    login.target.send(failure(['password', 'hostbased']));

    const error = await refusal(login.outcome);

    expect([await login.next(), await login.next(), await login.next(), await login.next()]).toEqual([
      'message 5',
      'deploy publickey signed ssh-ed25519',
      'deploy publickey signed rsa-sha2-256',
      'deploy password',
    ]);
    expect(error).toMatchObject({
      code: 'refused',
      methods: ['password', 'hostbased'],
      message: 'the target refused every credential; it goes on with: password,hostbased',
    });
  });

  it('gives a password up that has to be changed', async () => {
    const login = startLogin([withPassword]);
    login.target.send(serviceAccept);
    login.target.send(failure(['password']));
    login.target.send(new WireWriter().byte(60).string('Expired.').string('').finish());

    const error = await refusal(login.outcome);

    expect(error.code).toBe('refused');
    expect(String(error.cause)).toContain('new password');
    expect(JSON.stringify([error, error.message, String(error.cause)])).not.toContain('correct horse');
  });

  it('abandons questions nobody can answer and goes on', async () => {
    const cause = new Error('no code at hand');
    const login = startLogin([
      { method: 'keyboard-interactive', respond: () => Promise.reject(cause) },
      withPassword,
    ]);
    login.target.send(serviceAccept);
    login.target.send(failure(['keyboard-interactive', 'password']));
    login.target.send(infoRequest(['Code: ']));
    for (let count = 0; count < 3; count += 1) await login.next();

    const next = await login.next();
    login.target.send(failure(['publickey']));

    expect(next).toBe('deploy password');
    expect((await refusal(login.outcome)).cause).toBe(cause);
  });

  it('answers a round without prompts by itself', async () => {
    const login = startLogin([{ method: 'keyboard-interactive', respond: () => ['1'] }]);
    login.target.send(serviceAccept);
    login.target.send(failure(['keyboard-interactive']));
    login.target.send(infoRequest(['Code: ']));
    login.target.send(infoRequest([]));
    login.target.send(success);

    await expect(login.outcome).resolves.toBeUndefined();
    expect(login.transports.client.sent).toEqual([5, 50, 50, 61, 61]);
  });
});

describe('banners', () => {
  it('are told without control characters, sixteen at most', async () => {
    const texts: string[] = [];
    const login = startLogin([withKey], { onBanner: (text) => texts.push(text) });
    login.target.send(serviceAccept);
    login.target.send(banner('Welcome\r\nto\u001b]0;owned\u0007 example'));
    for (let count = 0; count < 100; count += 1) login.target.send(banner('x'.repeat(20_000)));
    login.target.send(success);

    await login.outcome;

    expect(texts[0]).toBe('Welcome\nto\ufffd]0;owned\ufffd example');
    expect(texts).toHaveLength(16);
    expect(Math.max(...texts.map((text) => text.length))).toBe(8192);
  });
});

describe('a hostile target', () => {
  it.each([
    ['a success before the service', [success]],
    ['another service', [new WireWriter().byte(6).string('ssh-connection').finish()]],
    ['a global request', [serviceAccept, Buffer.of(80)]],
    ['a channel', [serviceAccept, Buffer.of(90)]],
    ['questions to a signed key', [serviceAccept, infoRequest(['Password: '])]],
    ['a truncated failure', [serviceAccept, Buffer.of(51, 0)]],
    ['a list with control characters', [serviceAccept, failure(['pass\u001bword'])]],
    ['a userauth request', [serviceAccept, Buffer.of(50)]],
  ])('ends the connection with %s', async (_name, payloads) => {
    const login = startLogin([withKey]);
    for (const payload of payloads) login.target.send(payload);

    expect((await refusal(login.outcome)).code).toBe('protocol');
    expect((await login.transports.server.ended).code).toBe(2);
  });

  it('cannot ask for ever', async () => {
    const login = startLogin([{ method: 'keyboard-interactive', respond: () => ['1'] }]);
    login.target.send(serviceAccept);
    login.target.send(failure(['keyboard-interactive']));
    for (let count = 0; count < 1000; count += 1) login.target.send(infoRequest(['Code: ']));

    expect((await refusal(login.outcome)).code).toBe('protocol');
  });

  it('cannot ask for thousands of answers at once', async () => {
    let asked = 0;
    const login = startLogin([
      {
        method: 'keyboard-interactive',
        respond: () => {
          asked += 1;
          return [];
        },
      },
    ]);
    login.target.send(serviceAccept);
    login.target.send(failure(['keyboard-interactive']));
    login.target.send(infoRequest(Array.from({ length: 1000 }, () => '?')));

    expect((await refusal(login.outcome)).code).toBe('protocol');
    expect(asked).toBe(0);
  });

  it('that is silent runs into the timeout, one that leaves ends it', async () => {
    const silent = startLogin([withKey], { timeoutMs: 30 });
    const leaving = startLogin([withKey]);

    leaving.transports.server.drop();

    expect((await refusal(silent.outcome)).code).toBe('timeout');
    expect((await refusal(leaving.outcome)).code).toBe('ended');
  });

  it('with random bytes throws nothing outside the promise', async () => {
    const payload = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 100 }),
      fc
        .tuple(fc.constantFrom(51, 53, 60), fc.uint8Array({ maxLength: 100 }))
        .map(([number, rest]) => Uint8Array.of(number, ...rest)),
    );

    await fc.assert(
      fc.asyncProperty(fc.array(payload, { maxLength: 6 }), async (payloads) => {
        const login = startLogin([withKey, { method: 'keyboard-interactive', respond: () => ['1'] }]);
        login.target.send(serviceAccept);
        for (const each of payloads.filter(([number]) => number !== 52)) login.target.send(each);
        login.transports.server.drop();

        expect(['protocol', 'refused', 'ended']).toContain((await refusal(login.outcome)).code);
      }),
      { numRuns: 300 },
    );
  });
});
