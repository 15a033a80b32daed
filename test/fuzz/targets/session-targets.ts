import { modernAlgorithms, targetAlgorithms } from '../../../ssh/algorithms/index.ts';
import {
  AuthenticationError,
  authenticateToTarget,
  authenticateUser,
  type MethodVerdict,
  type ServerAuthenticator,
} from '../../../ssh/authentication/index.ts';
import type { AlgorithmPreferences, Transport } from '../../../ssh/transport/index.ts';
import { MessageNumber, WireWriter } from '../../../ssh/wire/index.ts';
import { Breach, expectThat, type FuzzTarget } from '../fuzz-target.ts';
import { hostKey, userKey } from './fixed-keys.ts';
import {
  channelMessages,
  channelOpens,
  channelRequests,
  globalRequests,
  transportMessages,
  userauthMessages,
} from './message-samples.ts';
import type { MutatingPeer } from './mutating-peer.ts';
import { Script, scriptOf } from './script.ts';
import { Session, type Talk, turns } from './session-run.ts';

const user = 'engineer';
const password = 'a password';
const code = '123456';

const samples: readonly Buffer[] = [
  ...userauthMessages,
  ...transportMessages,
  Buffer.of(MessageNumber.newKeys),
  Buffer.of(MessageNumber.userauthSuccess),
  new WireWriter().byte(30).string(Buffer.alloc(32, 9)).finish(),
  ...[channelOpens, channelRequests, channelMessages, globalRequests].flat(),
];

const logIn = Array.from({ length: 12 }, () => 'due' as const);
/** The bits of the first byte and what they choose: cipher, strict key exchange, second factor. */
const settings: readonly (readonly number[])[] = [[0], [1], [2], [3], [0x40], [0x80]];
const scripts = (): readonly Buffer[] => [
  ...settings.map((setting) => scriptOf(setting, ...logIn)),
  scriptOf([0], ...logIn, 'rekey', 0, ...logIn, 'rekey', 1, ...logIn),
  scriptOf([0], 'due', 'due', 'sample', 14, ...logIn),
  scriptOf([0], ...logIn.slice(0, 6), 'sample', 0, 'sample', 1, 'sample', 2, 'sample', 4, 'sample', 10),
  scriptOf([0x40], 'due', 'sample', 13, 'due', 'sample', 14, 'due', 'due', ...logIn),
  scriptOf([0], 'withhold', ...logIn, 'withhold', ...logIn),
  scriptOf([0], 'split-next', 0, 'due', 'split-next', 3, 'due', 'split-next', 10, 'due', ...logIn),
];

export const sessionTargets: readonly FuzzTarget[] = [
  {
    name: 'session-server',
    about: 'a server up to the login of a client that does anything, under the real keys',
    starts: scripts,
    tokens: [],
    run: (input) => runServer(new Script(input)),
  },
  {
    name: 'session-client',
    about: 'a client up to its login at a server that does anything, under the real keys',
    starts: scripts,
    tokens: [],
    run: (input) => runClient(new Script(input)),
  },
];

async function runServer(script: Script): Promise<void> {
  const choice = script.byte();
  const secondFactor = (choice & 0x80) !== 0;
  const talk = new ClientTalk();
  const session = new Session({
    options: {
      role: 'server',
      softwareVersion: 'server',
      algorithms: algorithmsOf(modernAlgorithms, choice),
      hostKeys: [{ privateKey: hostKey }],
      serverSignatureAlgorithms: ['ssh-ed25519'],
    },
    setting: settingOf('client', 'SSH-2.0-server', modernAlgorithms, choice),
    talk,
    samples,
  });
  const { transport } = session;
  const delivered: Buffer[] = [];
  const outcome = settled(
    authenticateUser(transport, {
      authenticator: authenticator(secondFactor),
      methods: ['publickey', 'keyboard-interactive'],
      maxAttempts: 6,
      graceMs: 60_000,
      banner: 'welcome',
    }).then((authenticated) => {
      expectThat(talk.proved, 'an identity without a signature');
      expectThat(!secondFactor || talk.answered, 'an identity without its second factor');
      expectThat(authenticated.user === user, 'an identity under another name');
      transport.onMessage = (plain, length) => delivered.push(Buffer.from(plain.subarray(1, 1 + length)));
      authenticated.accept();
    }),
  );

  await session.play(script);

  expectThat(
    outcome.value !== 'fulfilled' || session.honest || talk.proved,
    'an identity without a signature',
  );
  expectThat(
    delivered.every((payload) => session.payloads.some((sent) => sent.equals(payload))),
    'a message was delivered that nobody sent',
  );
  const count = delivered.length;
  await session.over();
  expectThat(delivered.length === count, 'a message was delivered after the end');
  expectFamily(outcome);
}

async function runClient(script: Script): Promise<void> {
  const choice = script.byte();
  const talk = new ServerTalk();
  const session = new Session({
    options: {
      role: 'client',
      softwareVersion: 'client',
      algorithms: algorithmsOf(targetAlgorithms, choice),
      verifyHostKey: (blob) =>
        blob.equals(hostKey.publicKey.blob) ? { accepted: true } : { accepted: false, reason: 'another key' },
    },
    setting: settingOf('server', 'SSH-2.0-client', targetAlgorithms, choice),
    talk,
    samples,
  });
  const { transport } = session;
  const outcome = settled(
    authenticateToTarget(transport, {
      user,
      credentials: [
        { method: 'publickey', privateKey: userKey },
        { method: 'password', password },
        { method: 'keyboard-interactive', respond: ({ prompts }) => prompts.map(() => code) },
      ],
      timeoutMs: 60_000,
    }).then(() => expectThat(talk.succeeded, 'logged in where the target did not say so')),
  );

  await session.play(script);

  if (await isReady(transport)) {
    const known = session.peer.sessionId;
    expectThat(
      known !== undefined && transport.sessionId.equals(known),
      'ready with somebody who is not the peer',
    );
  }
  expectThat(
    session.peer.received.every((payload) => (payload[0] ?? 0) < 80 || (payload[0] ?? 0) >= 192),
    'a message of the connection protocol before the login',
  );
  await session.over();
  expectFamily(outcome);
}

/** Logs in with the key, and the code where it is asked for, then opens a channel. */
class ClientTalk implements Talk {
  /** A signature over this very session was sent. */
  proved = false;
  /** The code was sent. */
  answered = false;
  #step = 0;
  readonly #proofs: Buffer[] = [];

  next(peer: MutatingPeer): Buffer | undefined {
    const asked = peer.received.at(-1)?.[0] === MessageNumber.userauthInfoRequest;
    peer.received.length = 0;
    if (asked)
      return new WireWriter().byte(MessageNumber.userauthInfoResponse).uint32(1).string(code).finish();
    this.#step += 1;
    switch (this.#step) {
      case 1:
        return userauthMessages.find((payload) => payload[0] === MessageNumber.serviceRequest);
      case 2:
        return userauthMessages[0];
      case 3:
        return userauthMessages[2];
      case 4:
        return this.#proof(peer.sessionId);
      case 5:
        return new WireWriter().raw(request('keyboard-interactive')).string('').string('').finish();
      default:
        return [channelOpens[0], channelRequests[3], channelMessages[0], globalRequests[5]][this.#step % 4];
    }
  }

  sent(payload: Buffer): void {
    if (this.#proofs.some((proof) => proof.equals(payload))) this.proved = true;
    if (payload[0] === MessageNumber.userauthInfoResponse && payload.includes(code)) this.answered = true;
  }

  #proof(sessionId: Buffer | undefined): Buffer {
    const unsigned = new WireWriter()
      .raw(request('publickey'))
      .boolean(true)
      .string('ssh-ed25519')
      .string(userKey.publicKey.blob)
      .finish();
    const signed = new WireWriter()
      .string(sessionId ?? Buffer.alloc(32))
      .raw(unsigned)
      .finish();
    const proof = new WireWriter().raw(unsigned).string(userKey.sign(signed, 'ssh-ed25519')).finish();
    this.#proofs.push(proof);
    return proof;
  }
}

/** Accepts the service, refuses the key and the password, and lets the code in. */
class ServerTalk implements Talk {
  succeeded = false;

  next(peer: MutatingPeer): Buffer | undefined {
    const asked = peer.received.shift();
    switch (asked?.[0]) {
      case MessageNumber.serviceRequest:
        return new WireWriter().byte(MessageNumber.serviceAccept).string('ssh-userauth').finish();
      case MessageNumber.userauthRequest:
        return asked.includes('keyboard-interactive')
          ? userauthMessages.find((payload) => payload[0] === MessageNumber.userauthInfoRequest)
          : new WireWriter()
              .byte(MessageNumber.userauthFailure)
              .nameList(['password', 'keyboard-interactive'])
              .boolean(false)
              .finish();
      case MessageNumber.userauthInfoResponse:
        return Buffer.of(MessageNumber.userauthSuccess);
      default:
        return transportMessages[5];
    }
  }

  sent(payload: Buffer): void {
    if (payload[0] === MessageNumber.userauthSuccess) this.succeeded = true;
  }
}

function authenticator(secondFactor: boolean): ServerAuthenticator {
  const proven: MethodVerdict = secondFactor
    ? { kind: 'partial', continueWith: ['keyboard-interactive'] }
    : { kind: 'success' };
  let hasProof = false;
  return {
    acceptsKey: async (name, { publicKey }) => name === user && publicKey.blob.equals(userKey.publicKey.blob),
    keyProven: async () => {
      hasProof = true;
      return proven;
    },
    startInteractive: async () =>
      hasProof
        ? { kind: 'ask', request: { name: '', instruction: '', prompts: [{ text: 'Code: ', echo: false }] } }
        : { kind: 'done', verdict: { kind: 'failure' } },
    continueInteractive: async (_user, [response]) => ({
      kind: 'done',
      verdict: { kind: response === code ? 'success' : 'failure' },
    }),
    attemptFailed: async () => undefined,
  };
}

function request(method: string): Buffer {
  return new WireWriter()
    .byte(MessageNumber.userauthRequest)
    .string(user)
    .string('ssh-connection')
    .string(method)
    .finish();
}

/** Two bits choose a cipher, one whether the exchange is a quick one. */
function algorithmsOf(from: AlgorithmPreferences, choice: number): AlgorithmPreferences {
  const cipher = from.cipher[choice % from.cipher.length] ?? 'aes256-gcm@openssh.com';
  const keyExchange = (choice & 0x20) === 0 ? ['curve25519-sha256'] : from.keyExchange;
  return { ...from, cipher: [cipher], keyExchange };
}

function settingOf(
  role: 'client' | 'server',
  otherIdentification: string,
  from: AlgorithmPreferences,
  choice: number,
) {
  return {
    role,
    otherIdentification,
    strict: (choice & 0x40) === 0,
    algorithms: { ...algorithmsOf(from, choice), hostKey: ['ssh-ed25519'] },
  };
}

type Outcome = { value: 'pending' | 'fulfilled' | 'rejected'; error?: unknown };

function settled(promise: Promise<void>): Outcome {
  const outcome: Outcome = { value: 'pending' };
  promise.then(
    () => {
      outcome.value = 'fulfilled';
    },
    (error: unknown) => {
      outcome.value = 'rejected';
      outcome.error = error;
    },
  );
  return outcome;
}

function expectFamily({ value, error }: Outcome): void {
  expectThat(value !== 'pending', 'a login neither succeeds nor fails');
  if (value === 'rejected' && !(error instanceof AuthenticationError))
    throw error instanceof Breach
      ? error
      : new Breach('a login fails with an error of another family', { cause: error });
}

async function isReady(transport: Transport): Promise<boolean> {
  const ready = settled(transport.ready);
  await turns(1);
  return ready.value === 'fulfilled';
}
