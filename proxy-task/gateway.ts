import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { addressMatcher } from '#core/configuration';
import type { Revocation } from '#core/contract';
import type { Refusal } from '#core/event';
import {
  adoptConnection,
  algorithmProfiles,
  type ByteLink,
  DisconnectReason,
  linkFromDuplex,
  linkFromSocket,
  presentableAlgorithms,
  type Transport,
  whenEnded,
} from '#ssh';
import { type Admission, createAdmission, type Place } from './admission.ts';
import { type ConnectionContext, openConnection, type SessionRegistry } from './connection.ts';
import { GatewayError } from './gateway-error.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { watchRequestExpiry } from './grants/request-expiry.ts';
import { createHostCertificates, type HostCertificates } from './host-certificates.ts';
import type { JumpOptions, JumpPassage } from './jump.ts';
import { listen } from './listen.ts';
import { createLockGuard, type LockGuard } from './locks/index.ts';
import { createTotpFactor, type SecondFactor } from './login/second-factor.ts';
import { createSecurityKeyCounters, type SecurityKeyCounters } from './login/security-key-counters.ts';
import { isFaultOfPeer } from './peer-refusal.ts';
import { reviewSessions } from './policy-review.ts';
import { readProxyHeader } from './proxied-link.ts';
import { createRefusalTally, type RefusalTally } from './refusal-tally.ts';
import type { Session } from './session.ts';
import { plainAddress, sourceBlock } from './source-block.ts';
import { createStartups, type Startups } from './startups.ts';

export type Gateway = {
  /** Where it listens, the port chosen where 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  /** Sessions open now. */
  readonly sessionCount: number;
  /** Tells every engineer with a session. */
  notice(text: string): void;
  /** Takes no more connections; sessions go on. */
  stopAccepting(): void;
  /** Takes no more connections, tells the engineers, and settles when every session is on record as ended. */
  close(reason: string): Promise<void>;
};

type Source = ConnectionContext['source'];

/** TCP keepalive: a peer that is gone without a word is noticed. Milliseconds of silence before the first probe. */
const keepAliveInitialDelay = 60_000;
/** What a connection that was told to end may take before it is destroyed. */
const drainMs = 5_000;
/** Frozen sessions see why they end for this long. */
const freezeMs = 300;

const noSessionLeft: Refusal = {
  errorCode: 'SessionLimitExceeded',
  denyReason: 'too-many-sessions',
  message: 'the gateway has no session left; try again later, or ask who runs sshtrail to raise maxSessions',
};

/** Listens and serves until closed. The journal's failure ends every session: nothing happens without evidence. */
export async function startGateway(parts: GatewayParts, auditFailure: Promise<Error>): Promise<Gateway> {
  requireHostKey(parts);
  const gateway = new GatewayServer(parts);
  const address = await gateway.listen();
  void auditFailure.then((error) => gateway.endAll(error));
  return {
    address,
    get sessionCount() {
      return gateway.sessionCount;
    },
    notice: (text) => gateway.notice(text),
    stopAccepting: () => gateway.stopAccepting(),
    close: (reason) => gateway.close(reason),
  };
}

/** Found here, since at the first connection nobody would be there to read of it. */
function requireHostKey({ settings, hostKeys }: GatewayParts): void {
  const { transport } = algorithmProfiles[settings.algorithms];
  if (presentableAlgorithms(transport.hostKey, hostKeys).length > 0) return;
  throw new GatewayError(
    'no-host-key',
    `no host key fits gateway.algorithms: ${settings.algorithms}; make one by ssh-keygen -t ${settings.algorithms === 'fips' ? 'ecdsa' : 'ed25519'} -N '' -f FILE and name it under hostKeys.files`,
  );
}

/** Owns the listening socket and everything that came in by it. */
class GatewayServer {
  readonly #parts: GatewayParts;
  readonly #server: Server;
  readonly #sessions: SessionRegistry = new Map();
  readonly #locks: LockGuard;
  /** Engineers' connections that are no session yet. */
  readonly #unjoined = new Set<Transport>();
  /** Connections that carry others. */
  readonly #jumps = new Set<Transport>();
  readonly #hostCertificates: HostCertificates;
  readonly #connections = new Set<Promise<void>>();
  readonly #stopping = new AbortController();
  readonly #secondFactor: SecondFactor;
  readonly #securityKeyCounters: SecurityKeyCounters;
  readonly #admission: Admission;
  readonly #startups: Startups;
  readonly #refusals: RefusalTally;
  readonly #reviewSessions: () => void;
  readonly #isBalancer: (address: string) => boolean;
  #headersAwaited = 0;
  #auditFailed = false;

  constructor(parts: GatewayParts) {
    const { settings, control, now } = parts;
    this.#parts = parts;
    this.#secondFactor = createTotpFactor(control, now);
    this.#hostCertificates = createHostCertificates({
      authority: parts.hostAuthority,
      hostKeys: parts.hostKeys,
      now,
      randomBytes: parts.randomBytes,
    });
    this.#securityKeyCounters = createSecurityKeyCounters(control, now);
    this.#locks = createLockGuard({
      control,
      latencyMs: settings.revocationLatencyMs,
      unreadable: settings.controlUnreadable,
      now,
      report: parts.report,
      signal: this.#stopping.signal,
    });
    this.#admission = createAdmission(settings, now);
    this.#isBalancer = addressMatcher(settings.proxiedFrom);
    // Not Math.random: whose connection goes must not be for a peer to foresee.
    this.#startups = createStartups(
      settings.maxStartups,
      () => parts.randomBytes(4).readUInt32BE() / 2 ** 32,
    );
    this.#refusals = createRefusalTally({
      proxy: settings,
      now,
      record: (draft) => parts.journal.record(draft),
      onFault: (error) => {
        if (!this.#auditFailed) parts.report(`refused connections are not on record: ${reasonOf(error)}`);
      },
    });
    this.#reviewSessions = reviewSessions({
      policies: parts.policies,
      sessions: () => this.#sessions.values(),
      control,
      report: parts.report,
      signal: this.#stopping.signal,
    });
    this.#server = createServer(
      { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay },
      (socket) => this.#take(socket),
    );
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  async listen(): Promise<Gateway['address']> {
    await this.#locks.start();
    let address: Gateway['address'];
    try {
      address = await listen(this.#server, this.#parts.settings.listen);
    } catch (error) {
      // Nobody will close what never listened.
      this.#stopping.abort();
      throw error;
    }
    // Accepting can fail while running, such as when files run out: those who wait are served when some are free again.
    this.#server.on('error', (error) =>
      this.#parts.report(`a connection could not be accepted: ${error.message}`),
    );
    this.#watchRevocations();
    watchRequestExpiry(this.#parts, this.#stopping.signal);
    return address;
  }

  async endAll(error: Error): Promise<void> {
    this.#auditFailed = true;
    this.#parts.report(
      `the audit trail cannot be written (${error.message}); every session ends and no new one is taken`,
    );
    for (const session of this.#sessions.values()) session.freeze();
    await sleep(freezeMs);
    const message = 'the audit trail cannot be written, so the session ends';
    for (const session of this.#sessions.values()) session.stop({ endReason: 'AuditUnavailable', message });
  }

  notice(text: string): void {
    for (const session of this.#sessions.values()) session.notice(text);
  }

  stopAccepting(): void {
    this.#server.close();
  }

  async close(reason: string): Promise<void> {
    this.#stopping.abort();
    this.stopAccepting();
    for (const session of this.#sessions.values())
      session.stop({ endReason: 'ProxyShutdown', message: reason });
    for (const transport of this.#unjoined)
      transport.cut(DisconnectReason.byApplication, `sshtrail: ${reason}`, drainMs);
    // Those inside hear why first: their words travel through the outer ones.
    const over = Promise.all(this.#connections);
    await Promise.race([over, this.#innerOver()]);
    for (const transport of this.#jumps)
      transport.cut(DisconnectReason.byApplication, `sshtrail: ${reason}`, drainMs);
    await over;
    await this.#refusals.close();
  }

  /** Runs as a listener of the server: what it throws would be nobody's. */
  #take(socket: Socket): void {
    try {
      this.#sort(socket, { ip: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 });
    } catch (error) {
      socket.destroy();
      this.#parts.report(`a connection could not be taken: ${reasonOf(error)}`);
    }
  }

  #sort(socket: Socket, source: Source): void {
    if (this.#auditFailed) {
      socket.destroy();
      return;
    }
    if (this.#isBalancer(source.ip)) {
      void this.#own(this.#takeProxied(socket, source));
      return;
    }
    const place = this.#admit(source);
    // Of the accepted socket nothing is kept: its handle serves another one from here on.
    if (place === undefined) socket.destroy();
    else void this.#own(this.#serve(linkFromSocket(adoptConnection(socket)), source, place));
  }

  /** A load balancer's connection: who is behind it, it says first. */
  async #takeProxied(socket: Socket, balancer: Source): Promise<void> {
    if (this.#headersAwaited >= this.#parts.settings.maxStartups.full) {
      socket.destroy();
      this.#refusals.refused(balancer.ip, 'too-many-unauthenticated');
      return;
    }
    this.#headersAwaited += 1;
    const read = await readProxyHeader(linkFromSocket(adoptConnection(socket)));
    this.#headersAwaited -= 1;
    if (read.kind === 'closed') return;
    if (read.kind === 'refused') {
      this.#refusals.refused(balancer.ip, read.reason);
      return;
    }
    const { header, link } = read;
    const source = header.kind === 'local' ? balancer : { ip: header.address, port: header.port };
    const stopped = this.#auditFailed || this.#stopping.signal.aborted;
    const place = stopped ? undefined : this.#admit(source);
    if (place === undefined) link.destroy();
    else await this.#serve(link, source, place);
  }

  #admit(source: Source): Place | undefined {
    const entry = this.#admission.enter(source.ip);
    if ('place' in entry) return entry.place;
    this.#refusals.refused(source.ip, entry.refusal);
    return undefined;
  }

  /** A connection's work: its faults are its own, and closing waits for it. */
  #own(work: Promise<void>): Promise<void> {
    this.#connections.add(work);
    void work.finally(() => this.#connections.delete(work));
    return work;
  }

  async #innerOver(): Promise<void> {
    const deadlineMs = this.#parts.now() + drainMs;
    while (this.#sessions.size > 0 && this.#parts.now() < deadlineMs) await sleep(20);
    // The last words of the last one are on their way.
    await sleep(20);
  }

  #serveInner(source: Source, ...[stream, passage]: Parameters<JumpOptions['serve']>) {
    if (this.#auditFailed)
      return { refused: 'the audit trail cannot be written, so the gateway takes no connection' };
    const entry = this.#admission.enter(source.ip);
    if ('place' in entry) return this.#own(this.#serve(linkFromDuplex(stream), source, entry.place, passage));
    this.#refusals.refused(source.ip, entry.refusal);
    return { refused: `the gateway takes no more connections from this address now (${entry.refusal})` };
  }

  async #serve(link: ByteLink, source: Source, place: Place, passage?: JumpPassage): Promise<void> {
    try {
      const session = await this.#open(link, source, place, passage);
      if (session === undefined) return;
      // The policies changed while it was on its way in.
      if (!session.isCurrent) this.#reviewSessions();
      await session.finish().finally(() => {
        this.#sessions.delete(session.facts.sessionId);
        this.#locks.leave(session.facts.sessionId);
      });
    } catch (error) {
      this.#parts.report(`a connection from ${source.ip} ended with a fault: ${reasonOf(error)}`);
      link.destroy();
    } finally {
      place.leave();
    }
  }

  async #open(
    link: ByteLink,
    source: Source,
    place: Place,
    passage: JumpPassage | undefined,
  ): Promise<Session | undefined> {
    let opening: Transport | undefined;
    const started = this.#startups.enter(sourceBlock(source.ip), () => {
      this.#refusals.refused(source.ip, 'too-many-unauthenticated');
      link.destroy();
    });
    try {
      return await openConnection({
        parts: this.#parts,
        sessions: this.#sessions,
        locks: this.#locks,
        secondFactor: this.#secondFactor,
        securityKeyCounters: this.#securityKeyCounters,
        link,
        source,
        ...(passage === undefined ? {} : { passage }),
        hostCertificates: this.#hostCertificates,
        serveInner: (stream, inner) => this.#serveInner(source, stream, inner),
        takeSession() {
          started();
          return place.authenticated() === undefined ? undefined : noSessionLeft;
        },
        onUnproven: (reason) => this.#refusals.refused(source.ip, reason),
        onJump: (transport) => {
          this.#unjoined.delete(transport);
          this.#jumps.add(transport);
        },
        onTransport: (transport) => {
          opening = transport;
          whenEnded(transport, (end) => {
            if (isFaultOfPeer(end)) place.fault();
          });
          this.#unjoined.add(transport);
        },
      });
    } catch (error) {
      opening?.cut(
        DisconnectReason.byApplication,
        'sshtrail: the gateway could not go on with this connection',
      );
      throw error;
    } finally {
      started();
      if (opening !== undefined) {
        this.#unjoined.delete(opening);
        this.#jumps.delete(opening);
      }
    }
  }

  #watchRevocations(): void {
    this.#parts.control.watch('revocation', {
      latencyMs: this.#parts.settings.revocationLatencyMs,
      signal: this.#stopping.signal,
      onChange: (item) => void this.#revoke(item.data),
      onFault: (error) => this.#parts.report(`revocations cannot be read: ${error.message}`),
    });
  }

  /** Who is to go, goes: also where that cannot be put on record any more. */
  async #revoke(revocation: Revocation): Promise<void> {
    const session = this.#sessions.get(revocation.sessionId);
    try {
      await session?.revoke(revocation);
    } catch (error) {
      this.#parts.report(
        `session ${revocation.sessionId} could not be revoked with evidence, so it is cut: ${reasonOf(error)}`,
      );
      session?.stop({ endReason: 'Revoked', message: revocation.message });
    }
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
