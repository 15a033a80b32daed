import type { ErrorCode, Target } from '#core/contract';
import {
  type AuthenticationOutcome,
  authenticateTarget,
  authenticateUser,
  type ConnectionFacts,
  type ConnectionRefusal,
  denyAccess,
  issueCertificate,
  type LoginAttempt,
  type Refusal,
  type SessionFacts,
  verifyHostKey,
} from '#core/event';
import {
  type AuthenticatedUser,
  AuthenticationError,
  algorithmProfiles,
  authenticateUser as authenticateEngineer,
  type ByteLink,
  createTransport,
  DisconnectReason,
  type Transport,
  whenEnded,
} from '#ssh';
import { type Admitted, admit, attemptOf } from './admit.ts';
import { authenticatorFor } from './connection-authenticator.ts';
import { engineerTransportLimits, targetTransportLimits } from './gateway-limits.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { endWithGrant } from './grants/end-with-grant.ts';
import type { HostCertificates } from './host-certificates.ts';
import { type JumpOptions, type JumpPassage, serveJump } from './jump.ts';
import { type LockGuard, lockableSession, lockFactsOf } from './locks/index.ts';
import type { EngineerAuthenticator, ProvenEngineer } from './login/engineer-authenticator.ts';
import { parseLoginName } from './login/login-name.ts';
import type { SecondFactor } from './login/second-factor.ts';
import type { SecurityKeyCounters } from './login/security-key-counters.ts';
import { refusalOfPeer } from './peer-refusal.ts';
import { Session } from './session.ts';
import { factsOf } from './session-access.ts';
import { connectTarget, type TargetWitness } from './target-connection.ts';
import { type LoginMethod, loginMethod } from './target-credential.ts';

/** Sessions that may be told to stop, by id. */
export type SessionRegistry = Map<string, Session>;

export type ConnectionContext = {
  readonly parts: GatewayParts;
  readonly sessions: SessionRegistry;
  readonly locks: LockGuard;
  readonly secondFactor: SecondFactor;
  readonly securityKeyCounters: SecurityKeyCounters;
  readonly link: ByteLink;
  readonly source: { readonly ip: string; readonly port: number };
  /** Set on the connection inside a jump. */
  readonly passage?: JumpPassage;
  readonly hostCertificates: HostCertificates;
  /** Serves a connection inside this one, should it be a jump. */
  readonly serveInner: JumpOptions['serve'];
  /** This connection is one to jump from: it ends after those inside. */
  readonly onJump: (transport: Transport) => void;
  /** Somebody has proved an identity: takes a session's place for them, or says that there is none. */
  readonly takeSession: () => Refusal | undefined;
  /** The connection ended for a fault of the peer's, and nobody had tried to prove an identity. */
  readonly onUnproven: (reason: ConnectionRefusal) => void;
  /** The engineer's transport stands: until a session is joined, a shutdown must reach it. */
  readonly onTransport: (transport: Transport) => void;
};

/**
 * One connection from its first byte to the joined session, which is then to be finished; undefined where there is none, because
 * somebody was refused or went away, with all of it on record. What it took to get there is let go.
 */
export async function openConnection(context: ConnectionContext): Promise<Session | undefined> {
  const { parts, source } = context;
  const sessionId = `s-${parts.randomBytes(16).toString('hex')}`;
  const profile = algorithmProfiles[parts.settings.algorithms];
  const transport = createTransport(context.link, {
    role: 'server',
    softwareVersion: softwareVersion(parts),
    algorithms: profile.transport,
    hostKeys: context.passage?.hostKeys ?? parts.hostKeys,
    serverSignatureAlgorithms: profile.userSignatures,
    limits: engineerTransportLimits(parts.settings),
  });
  context.onTransport(transport);

  const connection = (): ConnectionFacts => ({
    sessionId,
    sourceIp: source.ip,
    sourcePort: source.port,
    userAgent: transport.remoteIdentification,
    proxyId: parts.settings.proxyId,
    ...(context.passage === undefined ? {} : { jumpId: context.passage.connectionId }),
  });
  const authenticating = new AbortController();
  const stopListening = whenEnded(transport, () => authenticating.abort());
  const authenticator = authenticatorFor(context, connection, authenticating.signal);
  let user: AuthenticatedUser;
  try {
    user = await authenticateEngineer(transport, {
      authenticator,
      methods: ['publickey'],
      signatureAlgorithms: profile.userSignatures,
      maxAttempts: parts.settings.maxAuthAttempts,
      maxKeyQueries: parts.settings.maxKeyOffers,
      graceMs: parts.settings.loginGraceMs,
      provenGraceMs: 2 * parts.settings.loginGraceMs + parts.settings.access.waitMs,
      ...(parts.settings.banner === undefined ? {} : { banner: parts.settings.banner }),
    });
  } catch (error) {
    await recordFailedLogin(context, connection(), authenticator, error);
    await transport.ended;
    return undefined;
  } finally {
    stopListening();
  }
  const { engineer } = authenticator;
  if (engineer === undefined) {
    transport.cut(DisconnectReason.byApplication, 'sshtrail: authentication ended without an identity');
    return undefined;
  }
  const attempt = attemptOf(engineer, connection(), context.passage);
  const refusal = (await context.locks.refusalOf(lockFactsOf(attempt))) ?? context.takeSession();
  if (refusal !== undefined) return denySession(parts, transport, attempt, engineer, refusal);
  if (context.passage === undefined && parseLoginName(engineer.user).kind === 'jump') {
    await openJumpFor(context, transport, user, engineer, connection());
    return undefined;
  }
  return openForEngineer(context, transport, user, engineer, connection());
}

async function openJumpFor(
  context: ConnectionContext,
  transport: Transport,
  user: AuthenticatedUser,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
): Promise<void> {
  const { parts, hostCertificates, locks, serveInner, onJump } = context;
  const attempt = attemptOf(engineer, connection);
  onJump(transport);
  await parts.journal.record(authenticateUser(attempt, parts.now(), successOf(engineer)));
  await serveJump({ parts, hostCertificates, locks, transport, user, engineer, attempt, serve: serveInner });
}

/** Refuses an engineer who is proven; both facts are on record. */
async function denySession(
  parts: GatewayParts,
  transport: Transport,
  who: SessionFacts | LoginAttempt,
  engineer: ProvenEngineer,
  refusal: Refusal,
): Promise<undefined> {
  await Promise.all([
    parts.journal.record(authenticateUser(who, parts.now(), successOf(engineer))),
    parts.journal.record(denyAccess(who, parts.now(), refusal)),
  ]);
  refuse(transport, who.sessionId, refusal.message);
  await transport.ended;
}

async function openForEngineer(
  context: ConnectionContext,
  transport: Transport,
  user: AuthenticatedUser,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
): Promise<Session | undefined> {
  const { parts } = context;
  const admitted = await admit(parts, engineer, connection, context.passage);
  if ('refusal' in admitted) {
    const { refusal, facts } = admitted;
    const who = facts ?? attemptOf(engineer, connection, context.passage);
    return denySession(parts, transport, who, engineer, refusal);
  }

  const facts = factsOf(engineer, connection, admitted.target, admitted.login, parts.now());
  const [policyId] = admitted.policyIds;
  const { leansOn } = admitted.access;
  const session = new Session(
    parts,
    {
      ...facts,
      policyId,
      ...(leansOn === undefined
        ? {}
        : { accessRequestId: leansOn.requestId, breakGlass: leansOn.breakGlass }),
    },
    admitted.access,
    () => context.locks.lockOn(lockFactsOf(facts)),
  );
  const { maxSessions } = admitted.rules;
  if (maxSessions !== undefined && !(await session.takePlace(maxSessions)))
    return denySession(parts, transport, facts, engineer, tooManySessions(maxSessions));
  const locked = context.locks.enter(lockFactsOf(facts), lockableSession(session, parts.report));
  if (locked !== undefined) {
    await session.close();
    return denySession(parts, transport, facts, engineer, locked);
  }
  context.sessions.set(facts.sessionId, session);
  try {
    await bothOrThrow(
      parts.journal.record(authenticateUser(session.facts, parts.now(), successOf(engineer))),
      session.open(admitted.rules),
    );
    return await dialAndJoin(parts, session, transport, user, admitted);
  } catch (error) {
    // Whatever failed, a session that is on record as started gets its end; only the journal's own failure can prevent it.
    await session.close({ endReason: 'Error', message: 'the gateway could not go on with this session' });
    context.sessions.delete(facts.sessionId);
    context.locks.leave(facts.sessionId);
    throw error;
  }
}

function tooManySessions(atMost: number): Refusal {
  return {
    errorCode: 'SessionLimitExceeded',
    denyReason: 'too-many-sessions-of-identity',
    message: `policy allows you ${atMost === 1 ? 'one session' : `${atMost} sessions`} at once; end another one first`,
  };
}

/** Waits for both also where the first fails, so that what the second began can be ended. */
async function bothOrThrow(...work: readonly Promise<unknown>[]): Promise<void> {
  for (const outcome of await Promise.allSettled(work))
    if (outcome.status === 'rejected') throw outcome.reason;
}

async function dialAndJoin(
  parts: GatewayParts,
  session: Session,
  transport: Transport,
  user: AuthenticatedUser,
  admitted: Admitted,
): Promise<Session> {
  const dialling = new AbortController();
  let gone = false;
  const stopListening = whenEnded(transport, () => {
    gone = true;
    dialling.abort();
  });
  session.onStop = () => dialling.abort();
  if (session.stopMessage !== undefined) dialling.abort();
  const credential = parts.targetCredential?.(admitted.target);
  const dialled = await connectTarget({
    target: admitted.target,
    login: admitted.login,
    keyId: `sshtrail:${session.facts.sessionId}:${admitted.engineer.identity.name}`,
    ...(admitted.engineer.forceCommand === undefined ? {} : { forceCommand: admitted.engineer.forceCommand }),
    ...(credential === undefined ? {} : { credential }),
    authority: parts.userAuthority,
    certificateSeconds: parts.settings.certificateSeconds,
    certificateBackdateSeconds: parts.settings.certificateBackdateSeconds,
    timeoutMs: parts.settings.targetTimeoutMs,
    softwareVersion: softwareVersion(parts),
    limits: targetTransportLimits(parts.settings),
    now: parts.now,
    randomBytes: parts.randomBytes,
    ...(parts.reach === undefined ? {} : { reach: parts.reach }),
    witness: targetWitness(parts, session.facts, admitted.target, loginMethod(admitted.target, credential)),
    onBanner: (text) => user.banner(text),
    report: parts.report,
    signal: dialling.signal,
  });
  stopListening();
  session.onStop = undefined;
  if (!dialled.ok) {
    if (dialled.errorCode !== 'HostKeyMismatch')
      await parts.journal.record(
        targetRefused(
          session.facts,
          parts.now(),
          loginMethod(admitted.target, credential),
          dialled.errorCode,
          dialled.message,
        ),
      );
    refuse(transport, session.facts.sessionId, session.stopMessage ?? dialled.message);
    await session.close({ endReason: gone ? 'ClientDisconnect' : 'Error', message: dialled.message });
    return session;
  }
  session.join(transport, dialled.transport, () => user.accept());
  endWithGrant({ session, access: admitted.access, transport, now: parts.now, report: parts.report });
  return session;
}

function successOf({ assertion }: ProvenEngineer): AuthenticationOutcome {
  return { kind: 'success', securityKey: assertion };
}

function targetWitness(
  parts: GatewayParts,
  facts: SessionFacts,
  target: Target,
  method: LoginMethod,
): TargetWitness {
  const { journal, now, userAuthority } = parts;
  return {
    async hostKeyJudged(verdict) {
      await journal.record(
        verifyHostKey(facts, now(), {
          keyType: verdict.type,
          fingerprint: verdict.fingerprint,
          trust: target.hostTrust.kind,
          ...(verdict.trusted ? { outcome: 'ok' } : { outcome: 'mismatch', expected: verdict.expected }),
        }),
      );
    },
    async certificateIssued(certificate) {
      await journal.record(
        issueCertificate(facts, now(), {
          keyId: certificate.keyId,
          serial: certificate.serial,
          principals: certificate.principals,
          validFromMs: Number(certificate.validAfter) * 1000,
          validToMs: Number(certificate.validBefore) * 1000,
          authorityFingerprint: userAuthority.publicKey.fingerprint,
        }),
      );
    },
    async authenticated(egress) {
      await journal.record(
        authenticateTarget(facts, now(), {
          egressIp: egress.address,
          egressPort: egress.port,
          method,
          outcome: { kind: 'ok' },
        }),
      );
    },
  };
}

function targetRefused(
  facts: SessionFacts,
  at: number,
  method: string,
  errorCode: ErrorCode,
  message: string,
) {
  return authenticateTarget(facts, at, {
    method,
    outcome: { kind: errorCode === 'TargetRefused' ? 'refused' : 'unreachable', message },
  });
}

/** One event for a connection that tried and never got in, however often it tried. */
async function recordFailedLogin(
  { parts, passage, onUnproven }: ConnectionContext,
  connection: ConnectionFacts,
  authenticator: EngineerAuthenticator,
  error: unknown,
): Promise<void> {
  const { count, user, last, fingerprints } = authenticator.failures;
  const { unanswered } = authenticator;
  if (count === 0 && unanswered !== undefined && hasLeft(error)) {
    const outcome = {
      kind: 'failure',
      errorCode: 'AuthenticationFailed',
      reason: 'question-unanswered',
      message: 'the key was proved, and what was asked then was not answered',
    } as const;
    const attempt = attemptOf(unanswered, connection, passage);
    await parts.journal.record(authenticateUser(attempt, parts.now(), outcome));
    return;
  }
  if (count === 0 && fingerprints.length === 0) {
    const reason = refusalOfPeer(error);
    if (reason !== undefined) onUnproven(reason);
    return;
  }
  const fingerprint = fingerprints.at(-1);
  const attempt: LoginAttempt = {
    ...connection,
    claimedUser: user,
    ...(fingerprint === undefined ? {} : { keyFingerprint: fingerprint }),
  };
  const why = error instanceof Error ? error.message : 'unknown';
  await parts.journal.record(
    authenticateUser(attempt, parts.now(), {
      kind: 'failure',
      errorCode: 'AuthenticationFailed',
      reason: last === '' ? 'unregistered-key' : last,
      message: `${Math.max(count, fingerprints.length)} attempts were refused: ${why}`,
    }),
  );
}

/** By themselves, or by saying nothing until the time to log in ran out. */
function hasLeft(error: unknown): boolean {
  return error instanceof AuthenticationError && (error.code === 'ended' || error.code === 'timeout');
}

function refuse(transport: Transport, sessionId: string, message: string): void {
  transport.disconnect(DisconnectReason.byApplication, `sshtrail: ${message} (session ${sessionId})`);
}

function softwareVersion(parts: GatewayParts): string {
  return `sshtrail_${parts.settings.version}`;
}
