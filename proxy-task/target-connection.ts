import type { Duplex } from 'node:stream';
import type { ErrorCode, Target } from '#core/contract';
import {
  AuthenticationError,
  authenticateToTarget,
  type ByteLink,
  type CertificateSpec,
  connectSocket,
  createTransport,
  formatPublicKeyLine,
  generatePrivateKey,
  linkFromDuplex,
  linkFromSocket,
  mintCertificate,
  type PrivateKey,
  type RemoteSigner,
  type Transport,
  userExtensions,
} from '#ssh';
import type { targetTransportLimits } from './gateway-limits.ts';
import { algorithmsFor, type HostVerdict, judgeHostKey } from './host-trust.ts';

/** What is on record before each step is taken; a rejected promise stops the connection there. */
export type TargetWitness = {
  hostKeyJudged(verdict: HostVerdict): Promise<void>;
  certificateIssued(certificate: CertificateSpec): Promise<void>;
  authenticated(egress: { readonly address: string; readonly port: number }): Promise<void>;
};

/** Reaches instances by the services of their cloud. */
export type InstanceReach = {
  /** A byte stream to the port of the instance. */
  open(instanceId: string, port: number, signal: AbortSignal): Promise<Duplex>;
  /** Lets the key log in to the account for the next minute. */
  pushKey(instanceId: string, login: string, publicKeyLine: string): Promise<void>;
};

export type TargetConnectionOptions = {
  readonly target: Target;
  readonly login: string;
  /** `sshtrail:<session id>:<identity>`: the target's own log names the human by it. */
  readonly keyId: string;
  readonly forceCommand?: string;
  /** Where the target takes no certificates. */
  readonly privateKey?: PrivateKey;
  readonly authority: RemoteSigner;
  readonly certificateSeconds: number;
  readonly certificateBackdateSeconds: number;
  readonly timeoutMs: number;
  readonly softwareVersion: string;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  readonly reach?: InstanceReach;
  readonly witness: TargetWitness;
  /** Of the connection, as the transport has them. */
  readonly limits: ReturnType<typeof targetTransportLimits>;
  readonly onBanner: (text: string) => void;
  readonly signal: AbortSignal;
};

export type TargetConnection =
  | { readonly ok: true; readonly transport: Transport; readonly identification: string }
  | { readonly ok: false; readonly errorCode: ErrorCode; readonly message: string };

/** Dials the target, judges its host key, and logs in with a certificate minted for this session alone. */
export async function connectTarget(options: TargetConnectionOptions): Promise<TargetConnection> {
  const { target } = options;
  let dialled: Dialled;
  try {
    dialled = await dial(options);
  } catch (error) {
    return {
      ok: false,
      errorCode: 'TargetUnreachable',
      message: `${target.name} does not answer (${reasonOf(error)}); ask who runs it whether it is up`,
    };
  }
  const { egress } = dialled;
  let verdict: HostVerdict | undefined;
  const transport = createTransport(dialled.link, {
    role: 'client',
    softwareVersion: options.softwareVersion,
    algorithms: algorithmsFor(target.hostTrust),
    verifyHostKey: (blob, algorithm) => {
      verdict = judgeHostKey(blob, algorithm, target.hostTrust, Math.floor(options.now() / 1000));
      return verdict.trusted ? { accepted: true } : { accepted: false, reason: verdict.why };
    },
    limits: options.limits,
  });
  const abort = () => transport.cut(11, 'the engineer has gone');
  options.signal.addEventListener('abort', abort, { once: true });
  // Told to stop while the dial was on its way: nothing is sent to the target.
  if (options.signal.aborted) abort();
  try {
    return await logIn(transport, options, egress, () => verdict);
  } finally {
    options.signal.removeEventListener('abort', abort);
  }
}

async function logIn(
  transport: Transport,
  options: TargetConnectionOptions,
  egress: { readonly address: string; readonly port: number },
  verdict: () => HostVerdict | undefined,
): Promise<TargetConnection> {
  const { target, login, witness } = options;
  try {
    await withDeadline(transport.ready, options.timeoutMs);
  } catch (error) {
    transport.cut(11, 'the key exchange failed');
    const judged = verdict();
    if (judged === undefined) {
      return {
        ok: false,
        errorCode: 'TargetUnreachable',
        message: `${target.name} does not finish the SSH handshake (${reasonOf(error)})`,
      };
    }
    await witness.hostKeyJudged(judged);
    if (judged.trusted)
      return {
        ok: false,
        errorCode: 'TargetUnreachable',
        message: `${target.name} does not finish the SSH handshake (${reasonOf(error)})`,
      };
    return {
      ok: false,
      errorCode: 'HostKeyMismatch',
      message: `${target.name} shows a host key that is not the one on record (${judged.fingerprint}); do not work around it, tell whoever runs the inventory`,
    };
  }
  const credential = await credentialOnRecord(options, verdict());
  if ('refused' in credential) {
    transport.cut(11, 'no credential for the target');
    return { ok: false, errorCode: 'TargetRefused', message: credential.refused };
  }
  try {
    await authenticateToTarget(transport, {
      user: login,
      credentials: [{ method: 'publickey', ...credential }],
      timeoutMs: options.timeoutMs,
      onBanner: options.onBanner,
    });
  } catch (error) {
    transport.cut(11, 'authentication failed');
    if (!(error instanceof AuthenticationError)) throw error;
    return {
      ok: false,
      errorCode: 'TargetRefused',
      message: `${target.name} does not let ${login} in (${error.message}); ${options.privateKey === undefined ? "it must trust the gateway's certificate authority (TrustedUserCAKeys)" : 'it must have the configured key in authorized_keys'} and have that account`,
    };
  }
  await witness.authenticated(egress);
  return { ok: true, transport, identification: transport.remoteIdentification };
}

type Dialled = {
  readonly link: ByteLink;
  /** Where the target sees us; nothing is known of it behind Session Manager. */
  readonly egress: { readonly address: string; readonly port: number };
};

async function dial({ target, reach, timeoutMs, signal }: TargetConnectionOptions): Promise<Dialled> {
  if (target.instance?.dial === 'ssm') {
    if (reach === undefined) throw new Error('this gateway cannot dial through Session Manager');
    const stream = await reach.open(target.instance.id, target.port, signal);
    return { link: linkFromDuplex(stream), egress: { address: '', port: 0 } };
  }
  const socket = await connectSocket({ host: target.host, port: target.port, timeoutMs, signal });
  return {
    link: linkFromSocket(socket),
    egress: { address: socket.localAddress ?? '', port: socket.localPort ?? 0 },
  };
}

/** The host key and the certificate go on record together; the target is shown nothing before both are. */
async function credentialOnRecord(
  options: TargetConnectionOptions,
  judged: HostVerdict | undefined,
): Promise<Credential | { readonly refused: string }> {
  const { target, privateKey, forceCommand, witness } = options;
  const hostKeyOnRecord = judged === undefined ? Promise.resolve() : witness.hostKeyJudged(judged);
  if (privateKey === undefined && target.instance?.auth !== 'instance-connect') {
    const [credential] = await Promise.all([mintOnRecord(options), hostKeyOnRecord]);
    return credential;
  }
  await hostKeyOnRecord;
  // Only a certificate tells the target of it.
  if (forceCommand !== undefined)
    return {
      refused: `your certificate permits one command only, and ${target.name} takes no certificates, so it could not be held to that`,
    };
  return privateKey === undefined ? pushedKey(target.instance?.id ?? '', options) : { privateKey };
}

type Credential = { readonly privateKey: PrivateKey; readonly certificate?: Buffer };

/** A key of this session alone, which the instance accepts for a minute. */
async function pushedKey(
  instanceId: string,
  { reach, login, target }: TargetConnectionOptions,
): Promise<Credential | { readonly refused: string }> {
  if (reach === undefined)
    return { refused: `${target.name} wants EC2 Instance Connect, which this gateway does not have` };
  const privateKey = generatePrivateKey('ed25519');
  try {
    await reach.pushKey(instanceId, login, formatPublicKeyLine(privateKey.publicKey));
  } catch (error) {
    return { refused: `EC2 Instance Connect does not take a key for ${target.name}: ${reasonOf(error)}` };
  }
  return { privateKey };
}

async function mintOnRecord(options: TargetConnectionOptions): Promise<Credential> {
  const privateKey = generatePrivateKey('ed25519');
  const nowSeconds = BigInt(Math.floor(options.now() / 1000));
  const spec: CertificateSpec = {
    kind: 'user',
    publicKey: privateKey.publicKey,
    keyId: options.keyId,
    serial: options.randomBytes(8).readBigUInt64BE(),
    principals: [options.login],
    validAfter: nowSeconds - BigInt(options.certificateBackdateSeconds),
    validBefore: nowSeconds + BigInt(options.certificateSeconds),
    extensions: userExtensions,
    nonce: options.randomBytes(32),
    ...(options.forceCommand === undefined
      ? {}
      : { criticalOptions: new Map([['force-command', options.forceCommand]]) }),
  };
  const certificate = await mintCertificate(spec, options.authority);
  await options.witness.certificateIssued(spec);
  return { privateKey, certificate };
}

async function withDeadline(ready: Promise<void>, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    await Promise.race([ready, deadline]);
  } finally {
    clearTimeout(timer);
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'no reason given';
  const { code } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && /^E[A-Z]+$/.test(code) ? code : error.message;
}
