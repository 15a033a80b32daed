import { describe, expect, it } from 'vitest';
import { authenticateUser, type ServerAuthenticationOptions } from '../../../ssh/authentication/index.ts';
import { mintCertificate } from '../../../ssh/certificate/index.ts';
import { generatePrivateKey, type PrivateKey, privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';
import { type MemoryTransports, memoryTransports } from '../../support/memory-transport.ts';
import { type MessagePeer, messagePeer } from '../../support/message-peer.ts';
import { softwareSecurityKey } from '../keys/software-security-key.ts';
import { askForCode, authenticationOptions, scriptedAuthenticator } from './scripted-authenticator.ts';
import {
  describePayload,
  infoResponse,
  interactiveRequest,
  keyQuery,
  request,
  serviceRequest,
  signedRequest,
} from './userauth-payload.ts';

const alice = generatePrivateKey('ed25519');
const rsa = generatePrivateKey('rsa-3072');
const noneRequest = request('alice', 'none').finish();

type Login = {
  readonly transports: MemoryTransports;
  readonly peer: MessagePeer;
  readonly outcome: ReturnType<typeof authenticateUser>;
  next(): Promise<string>;
};

function startLogin(options: ServerAuthenticationOptions): Login {
  const transports = memoryTransports();
  const outcome = authenticateUser(transports.server, options);
  outcome.catch(() => undefined);
  const peer = messagePeer(transports.client);
  peer.send(serviceRequest);
  return { transports, peer, outcome, next: async () => describePayload(await peer.next()) };
}

function signedBy(key: PrivateKey, login: Login, algorithm = key.publicKey.algorithms[0]): Buffer {
  if (algorithm === undefined) throw new Error('the key has no algorithm');
  return signedRequest({
    algorithm,
    blob: key.publicKey.blob,
    sessionId: login.transports.server.sessionId,
    sign: (data) => key.sign(data, algorithm),
  });
}

const codeAfterKey = (): ReturnType<typeof scriptedAuthenticator> =>
  scriptedAuthenticator({
    proven: () => ({ kind: 'partial', continueWith: ['keyboard-interactive'] }),
    start: () => askForCode,
    continue: ([code]) => ({
      kind: 'done',
      verdict: code === '123456' ? { kind: 'success' } : { kind: 'failure' },
    }),
  });

describe('a login with a key', () => {
  it('answers the first none with the list of methods and does not count it', async () => {
    const authenticator = scriptedAuthenticator();
    const login = startLogin(authenticationOptions(authenticator));

    login.peer.send(noneRequest);

    expect(await login.next()).toBe('SERVICE_ACCEPT ssh-userauth');
    expect(await login.next()).toBe('FAILURE publickey,keyboard-interactive');
    expect(authenticator.failures).toEqual([]);
  });

  it('answers a query with the same key and algorithm, and only for a key the authenticator accepts', async () => {
    const authenticator = scriptedAuthenticator({ accepts: (key) => key.publicKey.type === 'ssh-ed25519' });
    const login = startLogin(authenticationOptions(authenticator));

    login.peer.send(keyQuery('alice', 'rsa-sha2-512', rsa.publicKey.blob));
    login.peer.send(keyQuery('alice', 'ssh-ed25519', alice.publicKey.blob));

    await login.next();
    expect(await login.next()).toBe('FAILURE publickey,keyboard-interactive');
    const ok = await login.peer.next();
    expect(ok[0]).toBe(60);
    expect(ok.includes(alice.publicKey.blob)).toBe(true);
    expect(authenticator.proven).toEqual([]);
    expect(authenticator.failures).toEqual(['publickey: key not accepted']);
  });

  it('holds success and everything behind it until accept', async () => {
    const authenticator = scriptedAuthenticator();
    const login = startLogin(authenticationOptions(authenticator));
    const received: number[] = [];

    login.peer.send(signedBy(alice, login));
    login.peer.send(Buffer.of(90, 1, 2));
    const user = await login.outcome;
    login.transports.server.onMessage = (plain) => received.push(plain.readUInt8(1));
    user.banner('target answers\r\nin a moment \u001b[31m');
    await login.next();
    const banner = await login.next();

    expect(user).toMatchObject({ user: 'alice', service: 'ssh-connection' });
    expect(banner).toBe('BANNER target answers\r\nin a moment \ufffd[31m');
    expect(received).toEqual([]);
    expect(login.transports.server.sent).not.toContain(52);

    user.accept();
    user.accept();

    expect(await login.next()).toBe('SUCCESS');
    await expect.poll(() => received).toEqual([90]);
    expect(login.transports.server.sent.filter((number) => number === 52)).toHaveLength(1);
  });

  it.each(['rsa-sha2-256', 'rsa-sha2-512'] as const)(
    'takes an RSA key that signs with %s',
    async (algorithm) => {
      const authenticator = scriptedAuthenticator();
      const login = startLogin(authenticationOptions(authenticator));

      login.peer.send(signedBy(rsa, login, algorithm));

      await expect(login.outcome).resolves.toMatchObject({ user: 'alice' });
      expect(authenticator.proven[0]?.key.signatureAlgorithm).toBe(algorithm);
    },
  );

  it('offers a certificate as such, parsed and not judged', async () => {
    const authority = generatePrivateKey('ed25519');
    const certificate = await mintCertificate(
      {
        kind: 'user',
        publicKey: rsa.publicKey,
        keyId: 'alice@example.com',
        serial: 7n,
        principals: ['alice'],
        validAfter: 0n,
        validBefore: 1n,
        nonce: Buffer.alloc(32, 1),
      },
      privateKeyAsRemoteSigner(authority),
    );
    const authenticator = scriptedAuthenticator();
    const login = startLogin(authenticationOptions(authenticator));

    login.peer.send(
      signedRequest({
        algorithm: 'rsa-sha2-512-cert-v01@openssh.com',
        blob: certificate,
        sessionId: login.transports.server.sessionId,
        sign: (data) => rsa.sign(data, 'rsa-sha2-512'),
      }),
    );
    await login.outcome;

    expect(authenticator.proven[0]?.key).toMatchObject({
      offered: { kind: 'certificate', certificate: { keyId: 'alice@example.com', serial: 7n } },
      signatureAlgorithm: 'rsa-sha2-512',
    });
  });

  it.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    'passes on what a security key of type %s asserted',
    async (type) => {
      const key = softwareSecurityKey(type);
      const authenticator = scriptedAuthenticator();
      const login = startLogin(authenticationOptions(authenticator));

      login.peer.send(
        signedRequest({
          algorithm: type,
          blob: key.publicKey.blob,
          sessionId: login.transports.server.sessionId,
          sign: (data) => key.sign(data, { userPresent: true, userVerified: true, counter: 9 }),
        }),
      );
      await login.outcome;

      expect(authenticator.proven[0]?.key.assertion).toEqual({
        userPresent: true,
        userVerified: true,
        counter: 9,
      });
    },
  );

  it('shows a banner once, before the first answer, without control characters', async () => {
    const login = startLogin(
      authenticationOptions(scriptedAuthenticator(), { banner: 'Recorded.\nBe\u0007have.' }),
    );

    login.peer.send(noneRequest);
    login.peer.send(interactiveRequest());

    await login.next();
    expect(await login.next()).toBe('BANNER Recorded.\r\nBe\ufffdhave.');
    expect(await login.next()).toMatch(/^FAILURE/);
    expect(await login.next()).toMatch(/^FAILURE/);
  });
});

describe('a login in two steps', () => {
  it('goes on with the named method alone after a partial success', async () => {
    const authenticator = codeAfterKey();
    const login = startLogin(authenticationOptions(authenticator, { methods: ['publickey'] }));

    login.peer.send(interactiveRequest());
    login.peer.send(signedBy(alice, login));
    login.peer.send(signedBy(alice, login));
    login.peer.send(interactiveRequest());
    await login.next();
    const beforeKey = await login.next();
    const afterKey = await login.next();
    const keyAgain = await login.next();
    const question = await login.next();
    login.peer.send(infoResponse(['123456']));

    expect(beforeKey).toBe('FAILURE publickey');
    expect(afterKey).toBe('FAILURE keyboard-interactive partial');
    expect(keyAgain).toBe('FAILURE keyboard-interactive');
    expect(question).toBe('60 Second factor');
    await expect(login.outcome).resolves.toMatchObject({ user: 'alice' });
    expect(authenticator.failures).toEqual([
      'keyboard-interactive: method not offered',
      'publickey: method not offered',
    ]);
  });

  it('counts a wrong code and lets the user try again', async () => {
    const authenticator = codeAfterKey();
    const login = startLogin(authenticationOptions(authenticator));

    login.peer.send(interactiveRequest());
    await login.next();
    await login.next();
    login.peer.send(infoResponse(['000000']));
    const refused = await login.next();
    login.peer.send(interactiveRequest());
    await login.next();
    login.peer.send(infoResponse(['123456']));

    expect(refused).toBe('FAILURE publickey,keyboard-interactive');
    await expect(login.outcome).resolves.toMatchObject({ user: 'alice' });
    expect(authenticator.failures).toEqual(['keyboard-interactive: wrong response']);
  });

  it('abandons the questions when another request comes', async () => {
    const authenticator = codeAfterKey();
    const login = startLogin(authenticationOptions(authenticator));

    login.peer.send(interactiveRequest());
    await login.next();
    await login.next();
    login.peer.send(signedBy(alice, login));
    const afterKey = await login.next();
    login.peer.send(infoResponse(['123456']));

    expect(afterKey).toBe('FAILURE keyboard-interactive partial');
    expect(authenticator.failures).toEqual(['keyboard-interactive: exchange abandoned']);
    await expect(login.outcome).rejects.toMatchObject({ code: 'protocol' });
  });

  it.each([
    ['may be told things as often as it takes', [], 'resolves'],
    ['is not asked without end', [{ text: 'Again: ', echo: true }], 'rejects'],
  ] as const)('%s', async (_, prompts, how) => {
    let rounds = 0;
    const step = () => ({ kind: 'ask', request: { name: 'Wait', instruction: '', prompts } }) as const;
    const authenticator = scriptedAuthenticator({
      start: step,
      continue: () => {
        rounds += 1;
        return rounds < 100 ? step() : { kind: 'done', verdict: { kind: 'success' } };
      },
    });
    const login = startLogin(authenticationOptions(authenticator));

    login.peer.send(interactiveRequest());
    await login.next();
    for (let round = 0; round < (how === 'resolves' ? 100 : 16); round += 1) {
      await login.next();
      login.peer.send(infoResponse(prompts.map(() => 'yes')));
    }

    if (how === 'resolves') await expect(login.outcome).resolves.toMatchObject({ user: 'alice' });
    else await expect(login.outcome).rejects.toMatchObject({ code: 'too-many-attempts' });
  });

  it('gives a peer that proved a key the longer time', async () => {
    const login = startLogin(authenticationOptions(codeAfterKey(), { graceMs: 60, provenGraceMs: 10_000 }));
    const slow = startLogin(authenticationOptions(codeAfterKey(), { graceMs: 60, provenGraceMs: 10_000 }));

    login.peer.send(signedBy(alice, login));
    await expect(slow.outcome).rejects.toMatchObject({ code: 'timeout' });
    login.peer.send(interactiveRequest());
    await login.next();
    await login.next();
    await login.next();
    login.peer.send(infoResponse(['123456']));

    await expect(login.outcome).resolves.toMatchObject({ user: 'alice' });
  });
});

describe('a login that does not come about', () => {
  it('ends when the grace time runs out, even between proof and accept', async () => {
    const silent = startLogin(authenticationOptions(scriptedAuthenticator(), { graceMs: 30 }));
    const dialling = startLogin(authenticationOptions(scriptedAuthenticator(), { graceMs: 30 }));
    dialling.peer.send(signedBy(alice, dialling));
    const user = await dialling.outcome;

    await expect(silent.outcome).rejects.toMatchObject({ code: 'timeout' });
    const end = await dialling.transports.server.ended;
    user.accept();

    expect(end.description).toBe('the time to log in ran out');
    expect(dialling.transports.server.sent).not.toContain(52);
  });

  it('ends when the peer leaves, whatever is being decided', async () => {
    const decision = Promise.withResolvers<boolean>();
    const authenticator = scriptedAuthenticator({ accepts: () => decision.promise });
    const login = startLogin(authenticationOptions(authenticator));
    login.peer.send(signedBy(alice, login));
    await expect.poll(() => authenticator.asked.length).toBe(1);

    login.transports.client.drop();
    await expect(login.outcome).rejects.toMatchObject({ code: 'ended' });
    decision.resolve(true);
    await decision.promise;

    expect(authenticator.proven).toEqual([]);
  });

  it('ends when the peer leaves a question unanswered', async () => {
    const leaving = startLogin(authenticationOptions(codeAfterKey()));
    const silent = startLogin(authenticationOptions(codeAfterKey(), { graceMs: 500 }));
    for (const login of [leaving, silent]) {
      login.peer.send(interactiveRequest());
      await login.next();
      await login.next();
    }

    leaving.transports.client.drop();

    await expect(leaving.outcome).rejects.toMatchObject({ code: 'ended' });
    await expect(silent.outcome).rejects.toMatchObject({ code: 'timeout' });
  });

  it('tells the peer the text of a verdict that disconnects', async () => {
    const login = startLogin(
      authenticationOptions(
        scriptedAuthenticator({
          proven: () => ({ kind: 'disconnect', message: 'locked\u001b[2J until noon' }),
        }),
      ),
    );

    login.peer.send(signedBy(alice, login));

    await expect(login.outcome).rejects.toMatchObject({ code: 'refused' });
    expect((await login.transports.client.ended).description).toBe('locked\ufffd[2J until noon');
  });

  it('keeps what an authenticator threw from the peer', async () => {
    const cause = new Error('store password is hunter2');
    const login = startLogin(
      authenticationOptions(scriptedAuthenticator({ proven: () => Promise.reject(cause) })),
    );

    login.peer.send(signedBy(alice, login));

    await expect(login.outcome).rejects.toMatchObject({ code: 'refused', cause });
    expect((await login.transports.client.ended).description).toBe(
      'the login could not be decided, try again later',
    );
  });

  it('ends after the last allowed failure', async () => {
    const authenticator = scriptedAuthenticator({ proven: () => ({ kind: 'failure' }) });
    const login = startLogin(authenticationOptions(authenticator, { maxAttempts: 2 }));

    login.peer.send(signedBy(alice, login));
    login.peer.send(signedBy(alice, login));

    await expect(login.outcome).rejects.toMatchObject({ code: 'too-many-attempts' });
    expect((await login.transports.client.ended).code).toBe(14);
    expect(authenticator.failures).toHaveLength(2);
  });
});
