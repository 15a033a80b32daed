import { setImmediate } from 'node:timers/promises';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { authenticateUser, type ServerAuthenticationOptions } from '../../../ssh/authentication/index.ts';
import { mintCertificate } from '../../../ssh/certificate/index.ts';
import { generatePrivateKey, privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';
import { WireWriter } from '../../../ssh/wire/index.ts';
import { type MemoryTransports, memoryTransports } from '../../support/memory-transport.ts';
import { softwareSecurityKey } from '../keys/software-security-key.ts';
import {
  askForCode,
  authenticationOptions,
  type ScriptedAuthenticator,
  scriptedAuthenticator,
} from './scripted-authenticator.ts';
import {
  infoResponse,
  interactiveRequest,
  keyQuery,
  request,
  serviceRequest,
  signedRequest,
} from './userauth-payload.ts';

const alice = generatePrivateKey('ed25519');
const mallory = generatePrivateKey('ed25519');
const rsa = generatePrivateKey('rsa-3072');
const sessionId = Buffer.alloc(32, 7);

type Attack = {
  readonly code: string;
  readonly authenticator: ScriptedAuthenticator;
  readonly transports: MemoryTransports;
};

/** Sends the payloads and drops the connection once all were dealt with. */
async function attack(
  payloads: readonly Uint8Array[],
  overrides: Partial<ServerAuthenticationOptions> = {},
  authenticator = scriptedAuthenticator({ start: () => askForCode }),
): Promise<Attack> {
  const transports = memoryTransports({ sessionId });
  const outcome = authenticateUser(transports.server, authenticationOptions(authenticator, overrides));
  transports.client.onMessage = () => undefined;
  for (const payload of payloads) transports.client.send(payload);
  const result: { code?: string } = {};
  const settled = outcome.then(
    () => (result.code = 'in'),
    (error: { code: string }) => (result.code = error.code),
  );
  while (!transports.server.idle && result.code === undefined) await setImmediate();
  transports.client.drop();
  const code = await settled;
  return { code, authenticator, transports };
}

const goodRequest = signedRequest({
  algorithm: 'ssh-ed25519',
  blob: alice.publicKey.blob,
  sessionId,
  sign: (data) => alice.sign(data, 'ssh-ed25519'),
});

async function certificateOf(key = alice): Promise<Buffer> {
  return mintCertificate(
    {
      kind: 'user',
      publicKey: key.publicKey,
      keyId: 'alice',
      serial: 1n,
      principals: ['alice'],
      validAfter: 0n,
      validBefore: 2n ** 64n - 1n,
      nonce: Buffer.alloc(32, 1),
    },
    privateKeyAsRemoteSigner(mallory),
  );
}

const many = (payload: Uint8Array): Uint8Array[] => [
  serviceRequest,
  ...Array.from({ length: 10_000 }, () => payload),
];

const twoPrompts = (): ScriptedAuthenticator =>
  scriptedAuthenticator({
    start: () => ({
      kind: 'ask',
      request: {
        name: '',
        instruction: '',
        prompts: [
          { text: 'One: ', echo: true },
          { text: 'Two: ', echo: false },
        ],
      },
    }),
    continue: () => ({ kind: 'done', verdict: { kind: 'success' } }),
  });

describe('a signature that proves nothing', () => {
  const fresh = { algorithm: 'ssh-ed25519', blob: alice.publicKey.blob, sessionId };
  const cases: Record<string, () => Buffer | Promise<Buffer>> = {
    'replayed from another connection': () =>
      signedRequest({
        ...fresh,
        sessionId: Buffer.alloc(32, 8),
        sign: (data) => alice.sign(data, 'ssh-ed25519'),
      }),
    'made by another key': () =>
      signedRequest({ ...fresh, sign: (data) => mallory.sign(data, 'ssh-ed25519') }),
    'over another user name': () =>
      signedRequest({
        ...fresh,
        sign: (data) =>
          alice.sign(Buffer.from(data.toString('latin1').replace('alice', 'carol'), 'latin1'), 'ssh-ed25519'),
      }),
    'over the request without the session identifier': () =>
      signedRequest({ ...fresh, sign: (data) => alice.sign(data.subarray(36), 'ssh-ed25519') }),
    'with another algorithm inside': () =>
      signedRequest({
        ...fresh,
        algorithm: 'rsa-sha2-512',
        blob: rsa.publicKey.blob,
        sign: (data) => rsa.sign(data, 'rsa-sha2-256'),
      }),
    'named ssh-rsa': () =>
      signedRequest({
        ...fresh,
        algorithm: 'ssh-rsa',
        blob: rsa.publicKey.blob,
        sign: (data) => rsa.sign(data, 'rsa-sha2-256'),
      }),
    'of an algorithm that does not fit the key': () =>
      signedRequest({ ...fresh, algorithm: 'rsa-sha2-256', sign: (data) => alice.sign(data, 'ssh-ed25519') }),
    'named as a certificate over a plain key': () =>
      signedRequest({
        ...fresh,
        algorithm: 'ssh-ed25519-cert-v01@openssh.com',
        sign: (data) => alice.sign(data, 'ssh-ed25519'),
      }),
    'named as a plain key over a certificate': async () =>
      signedRequest({
        ...fresh,
        blob: await certificateOf(),
        sign: (data) => alice.sign(data, 'ssh-ed25519'),
      }),
    'by the authority in place of the certified key': async () =>
      signedRequest({
        ...fresh,
        algorithm: 'ssh-ed25519-cert-v01@openssh.com',
        blob: await certificateOf(),
        sign: (data) => mallory.sign(data, 'ssh-ed25519'),
      }),
    empty: () => signedRequest({ ...fresh, sign: () => Buffer.alloc(0) }),
    'of a security key whose flags were changed': () => {
      const key = softwareSecurityKey('sk-ssh-ed25519@openssh.com');
      return signedRequest({
        ...fresh,
        algorithm: 'sk-ssh-ed25519@openssh.com',
        blob: key.publicKey.blob,
        sign: (data) => {
          const signature = key.sign(data, { userPresent: false, userVerified: false, counter: 1 });
          signature.writeUInt8(5, signature.length - 5);
          return signature;
        },
      });
    },
  };

  it.each(Object.entries(cases))('%s', async (_name, make) => {
    const { code, authenticator } = await attack([serviceRequest, await make()]);

    expect(code).toBe('ended');
    expect(authenticator.proven).toEqual([]);
    expect(authenticator.failures).toHaveLength(1);
  });

  it('is not asked for where a key was only offered', async () => {
    const { code, authenticator } = await attack([
      serviceRequest,
      keyQuery('alice', 'ssh-ed25519', alice.publicKey.blob),
    ]);

    expect(code).toBe('ended');
    expect(authenticator.proven).toEqual([]);
  });

  it('costs no verification for a key nobody accepts', async () => {
    const authenticator = scriptedAuthenticator({ accepts: () => false });

    const { code } = await attack([serviceRequest, goodRequest], {}, authenticator);

    expect(code).toBe('ended');
    expect(authenticator.failures).toEqual(['publickey: key not accepted']);
  });

  it('is refused with any byte of the request changed', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(goodRequest.length - 1),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const bytes = Buffer.from(goodRequest);
          bytes.writeUInt8(bytes.readUInt8(at) ^ change, at);

          const { code, authenticator } = await attack([serviceRequest, bytes]);

          expect(code).not.toBe('in');
          expect(authenticator.proven).toEqual([]);
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe('bytes that are no key', () => {
  it.each([
    ['a garbage certificate', 'ssh-ed25519-cert-v01@openssh.com', Buffer.alloc(300, 0x41)],
    ['a truncated certificate', 'ssh-ed25519-cert-v01@openssh.com', undefined],
    ['an empty key', 'ssh-ed25519', Buffer.alloc(0)],
  ])('%s fails without ending the login', async (_name, algorithm, given) => {
    const blob = given ?? (await certificateOf()).subarray(0, 150);

    const { code, transports, authenticator } = await attack([
      serviceRequest,
      keyQuery('alice', algorithm, blob),
      keyQuery('alice', 'ssh-ed25519', alice.publicKey.blob),
    ]);

    expect(code).toBe('ended');
    expect(transports.server.sent).toEqual([6, 51, 60]);
    expect(authenticator.asked).toHaveLength(1);
  });
});

describe('an algorithm that does not fit the offered key', () => {
  it.each([
    ['another family', 'rsa-sha2-256', async () => alice.publicKey.blob],
    ['a certificate name over a key', 'ssh-ed25519-cert-v01@openssh.com', async () => alice.publicKey.blob],
    ['a key name over a certificate', 'ssh-ed25519', () => certificateOf()],
    ['a certificate of another family', 'rsa-sha2-512-cert-v01@openssh.com', () => certificateOf()],
    ['SHA-1', 'ssh-rsa', async () => rsa.publicKey.blob],
  ])('is refused before anybody is asked: %s', async (_what, algorithm, blob) => {
    const { authenticator, transports } = await attack([
      serviceRequest,
      keyQuery('alice', algorithm, await blob()),
    ]);

    expect(transports.server.sent).toEqual([6, 51]);
    expect(authenticator.asked).toEqual([]);
  });
});

describe('a peer that changes its name', () => {
  it.each([
    ['user', request('carol', 'none').finish()],
    ['service', request('alice', 'none', 'ssh-other').finish()],
  ])('loses the connection for another %s', async (_what, second) => {
    const { code, transports } = await attack([serviceRequest, request('alice', 'none').finish(), second]);

    expect(code).toBe('user-changed');
    expect((await transports.server.ended).code).toBe(2);
  });

  it('cannot move a partial success to another user', async () => {
    const { code, authenticator } = await attack(
      [serviceRequest, goodRequest, interactiveRequest('carol')],
      {},
      scriptedAuthenticator({
        proven: () => ({ kind: 'partial', continueWith: ['keyboard-interactive'] }),
        start: () => ({ kind: 'done', verdict: { kind: 'success' } }),
      }),
    );

    expect(code).toBe('user-changed');
    expect(authenticator.proven).toHaveLength(1);
  });

  it.each([
    ['a line feed', 'alice\nroot logged in'],
    ['an escape sequence', 'alice\u001b[2J'],
    ['a NUL', 'alice\0root'],
    ['a direction override', 'alice\u202e'],
    ['nothing', ''],
    ['too many bytes', 'é'.repeat(129)],
  ])('is disconnected for a name with %s', async (_what, user) => {
    const { code, authenticator } = await attack([serviceRequest, request(user, 'password').finish()]);

    expect(code).toBe('protocol');
    expect(authenticator.failures).toEqual([]);
  });

  it('is disconnected for a name that is not UTF-8', async () => {
    const bytes = request('al\u00fcce', 'none').finish();
    const broken = Buffer.from(bytes.toString('latin1').replace('\u00c3\u00bc', '\u00ff\u00fe'), 'latin1');

    expect((await attack([serviceRequest, broken])).code).toBe('protocol');
  });
});

describe('messages of another phase', () => {
  it.each([
    ['a request before the service', [request('alice', 'none').finish()]],
    ['another service first', [new WireWriter().byte(5).string('ssh-connection').finish()]],
    ['a second service request', [serviceRequest, serviceRequest]],
    ['a global request', [serviceRequest, new WireWriter().byte(80).string('x').boolean(true).finish()]],
    ['a channel', [serviceRequest, Buffer.of(90)]],
    ['a success of its own', [serviceRequest, Buffer.of(52)]],
    ['an unknown number', [serviceRequest, Buffer.of(79)]],
    ['a response nobody asked for', [serviceRequest, infoResponse(['123456'])]],
    ['another service than ssh-connection', [serviceRequest, request('alice', 'none', 'x').finish()]],
    ['an empty message', [serviceRequest, Buffer.alloc(0)]],
  ])('%s ends the connection', async (_name, payloads) => {
    const { code, transports } = await attack(payloads);

    expect(code).toBe('protocol');
    expect((await transports.server.ended).code).toBe(2);
  });
});

describe('a flood', () => {
  it.each([
    ['none', request('alice', 'none').finish(), 6],
    ['password', request('alice', 'password').boolean(false).string('x').finish(), 6],
    ['keyboard-interactive', interactiveRequest(), 6],
    ['an unknown method', request('alice', 'hostbased').finish(), 6],
  ])('of %s requests ends after the allowed attempts', async (_method, payload, attempts) => {
    const { code, authenticator } = await attack(many(payload));

    expect(code).toBe('too-many-attempts');
    expect(authenticator.failures).toHaveLength(attempts);
  });

  it('of keys without signature ends after twenty', async () => {
    const { code, authenticator } = await attack(
      many(keyQuery('alice', 'ssh-ed25519', alice.publicKey.blob)),
    );

    expect(code).toBe('too-many-attempts');
    expect(authenticator.asked).toHaveLength(20);
  });

  it('of partial successes ends', async () => {
    const { code, authenticator } = await attack(
      many(goodRequest),
      {},
      scriptedAuthenticator({ proven: () => ({ kind: 'partial', continueWith: ['publickey'] }) }),
    );

    expect(code).toBe('too-many-attempts');
    expect(authenticator.proven).toHaveLength(6);
  });

  it('of answers ends although the authenticator would ask for ever', async () => {
    const answers = Array.from({ length: 10_000 }, () => infoResponse(['1']));

    const { code } = await attack(
      [serviceRequest, interactiveRequest(), ...answers],
      {},
      scriptedAuthenticator({ start: () => askForCode, continue: () => askForCode }),
    );

    expect(code).toBe('too-many-attempts');
  });

  it('waits unparsed while one decision is pending', async () => {
    const decision = Promise.withResolvers<boolean>();
    const authenticator = scriptedAuthenticator({ accepts: () => decision.promise });
    const transports = memoryTransports({ sessionId });
    const outcome = authenticateUser(transports.server, authenticationOptions(authenticator));
    for (const payload of many(goodRequest)) transports.client.send(payload);

    await expect.poll(() => authenticator.asked.length).toBe(1);
    const parsed = transports.server.bytesIn;
    decision.resolve(true);

    await expect(outcome).resolves.toMatchObject({ user: 'alice' });
    expect(parsed).toBe(serviceRequest.length + goodRequest.length);
    expect(transports.server.bytesIn).toBe(parsed);
  });
});

describe('keyboard-interactive', () => {
  it.each([
    ['too few responses', infoResponse(['1'])],
    ['too many responses', infoResponse(['1', '2', '3'])],
    ['a response over 4 KiB', infoResponse(['1', 'x'.repeat(4097)])],
    ['2^32-1 responses', Buffer.of(61, 255, 255, 255, 255)],
  ])('fails for %s', async (_what, payload) => {
    const { code, authenticator, transports } = await attack(
      [serviceRequest, interactiveRequest(), payload],
      {},
      twoPrompts(),
    );

    expect(code).toBe('ended');
    expect(authenticator.failures).toEqual(['keyboard-interactive: responses do not fit the prompts']);
    expect(transports.server.sent).toEqual([6, 60, 51]);
  });

  it('is a fault of the authenticator with more than eight prompts', async () => {
    const prompts = Array.from({ length: 9 }, () => ({ text: '?', echo: false }));

    const { code } = await attack(
      [serviceRequest, interactiveRequest()],
      {},
      scriptedAuthenticator({
        start: () => ({ kind: 'ask', request: { name: '', instruction: '', prompts } }),
      }),
    );

    expect(code).toBe('refused');
  });
});

describe('random bytes', () => {
  it('never throw outside the promise and never get in', async () => {
    const payload = fc.oneof(
      fc.uint8Array({ maxLength: 200 }),
      fc
        .tuple(fc.constantFrom(5, 50, 60, 61, 80, 90), fc.uint8Array({ maxLength: 200 }))
        .map(([number, rest]) => Uint8Array.of(number, ...rest)),
      fc.uint8Array({ maxLength: 100 }).map((rest) => request('alice', 'publickey').raw(rest).finish()),
      fc
        .uint8Array({ maxLength: 100 })
        .map((rest) => request('alice', 'keyboard-interactive').raw(rest).finish()),
      fc
        .uint8Array({ maxLength: 300 })
        .map((blob) => keyQuery('alice', 'ssh-ed25519-cert-v01@openssh.com', Buffer.from(blob))),
    );

    await fc.assert(
      fc.asyncProperty(fc.array(payload, { maxLength: 8 }), async (payloads) => {
        const { code } = await attack([serviceRequest, ...payloads]);

        expect(code).not.toBe('in');
      }),
      { numRuns: 300 },
    );
  });
});
