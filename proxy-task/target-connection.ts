import type { Duplex } from 'node:stream';
import type { ErrorCode, Target } from '#core/contract';
import {
  AuthenticationError,
  authenticateToTarget,
  type ByteLink,
  type CertificateSpec,
  connectSocket,
  createTransport,
  linkFromDuplex,
  linkFromSocket,
  type Transport,
  TransportError,
} from '#ssh';
import type { targetTransportLimits } from './gateway-limits.ts';
import { algorithmsFor, type HostVerdict, judgeHostKey } from './host-trust.ts';
import {
  type CredentialOptions,
  loginMethod,
  type PushKey,
  readyCredentials,
  whatTargetNeeds,
} from './target-credential.ts';

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
  readonly pushKey: PushKey;
};

export type TargetConnectionOptions = Omit<CredentialOptions, 'certificateIssued' | 'pushKey'> & {
  readonly timeoutMs: number;
  readonly softwareVersion: string;
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
    if (judged !== undefined) await witness.hostKeyJudged(judged);
    if (judged === undefined || judged.trusted)
      return { ok: false, errorCode: 'TargetUnreachable', message: handshakeMessage(target, error) };
    return { ok: false, errorCode: 'HostKeyMismatch', message: mismatchMessage(target, judged) };
  }
  const judged = verdict();
  const hostKeyOnRecord = judged === undefined ? Promise.resolve() : witness.hostKeyJudged(judged);
  const { reach } = options;
  const readied = await readyCredentials(
    {
      ...options,
      certificateIssued: (certificate) => witness.certificateIssued(certificate),
      ...(reach === undefined ? {} : { pushKey: reach.pushKey }),
    },
    hostKeyOnRecord,
  );
  if (!readied.ok) {
    transport.cut(11, 'no credential for the target');
    return { ok: false, errorCode: 'TargetRefused', message: readied.message };
  }
  try {
    await authenticateToTarget(transport, {
      user: login,
      credentials: readied.credentials,
      timeoutMs: options.timeoutMs,
      onBanner: options.onBanner,
    });
  } catch (error) {
    transport.cut(11, 'authentication failed');
    if (!(error instanceof AuthenticationError)) throw error;
    return {
      ok: false,
      errorCode: 'TargetRefused',
      message: `${target.name} does not let ${login} in (${error.message}); ${whatTargetNeeds(loginMethod(target, options.credential))} and have that account`,
    };
  }
  await witness.authenticated(egress);
  return { ok: true, transport, identification: transport.remoteIdentification };
}

function handshakeMessage(target: Target, error: unknown): string {
  const hint =
    error instanceof TransportError && error.code === 'no-common-algorithm'
      ? '; its host key may be of another type than the inventory has'
      : '';
  return `${target.name} does not finish the SSH handshake (${reasonOf(error)})${hint}`;
}

/** What was expected, what came, and what to do. */
function mismatchMessage(target: Target, { fingerprint, type, why, expected }: Mismatch): string {
  const known = expected.slice(0, maxNamedKeys).join(' or ');
  return target.hostTrust.kind === 'pinned'
    ? `${target.name} shows a host key that is not the one on record: expected ${known}, got ${fingerprint} (${type}); do not work around it, tell whoever runs the inventory`
    : `${target.name} shows a host key that no authority on record vouches for: expected a certificate of ${known}, got ${fingerprint} (${type}): ${why}; do not work around it, tell whoever runs the inventory`;
}

type Mismatch = HostVerdict & { readonly trusted: false };
const maxNamedKeys = 3;

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
