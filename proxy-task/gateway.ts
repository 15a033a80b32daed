import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Revocation } from '#core/contract';
import {
  adoptConnection,
  algorithmProfiles,
  type ByteLink,
  DisconnectReason,
  linkFromDuplex,
  linkFromSocket,
  presentableAlgorithms,
  type Transport,
} from '#ssh';
import { type Admission, createAdmission } from './admission.ts';
import { type ConnectionContext, openConnection, type SessionRegistry } from './connection.ts';
import type { SecondFactor } from './engineer-authenticator.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { createHostCertificates, type HostCertificates } from './host-certificates.ts';
import type { JumpOptions, JumpPassage } from './jump.ts';
import { createRefusalTally, type RefusalTally } from './refusal-tally.ts';
import { createTotpFactor } from './second-factor.ts';
import { createSecurityKeyCounters, type SecurityKeyCounters } from './security-key-counters.ts';
import type { Session } from './session.ts';
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

class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: 'port-taken' | 'port-forbidden' | 'cannot-listen' | 'no-host-key';

  constructor(code: GatewayError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** TCP keepalive: a peer that is gone without a word is noticed. Milliseconds of silence before the first probe. */
const keepAliveInitialDelay = 60_000;
/** How often refused connections are looked at that are not on record yet. */
const sweepMs = 10_000;
/** What a connection that was told to end may take before it is destroyed. */
const drainMs = 5_000;
/** Frozen sessions see why they end for this long. */
const freezeMs = 300;

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
  readonly #sweep: NodeJS.Timeout;
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
    this.#admission = createAdmission(
      {
        maxConnections: settings.maxSessions,
        maxConnectionsPerSource: settings.maxConnectionsPerSource,
        maxStartsPerSourcePerMinute: settings.maxStartsPerSourcePerMinute,
      },
      now,
    );
    this.#startups = createStartups(settings.maxStartups, Math.random);
    this.#refusals = createRefusalTally({
      proxyId: settings.proxyId,
      record: (draft) => parts.journal.record(draft),
      now,
      randomBytes: parts.randomBytes,
    });
    this.#sweep = setInterval(() => void this.#flushRefusals('due'), sweepMs).unref();
    this.#server = createServer(
      { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay },
      (socket) => this.#take(socket),
    );
  }

  get sessionCount(): number {
    return this.#sessions.size;
  }

  async listen(): Promise<Gateway['address']> {
    const address = await listen(this.#server, this.#parts.settings.listen);
    // Accepting can fail while running, such as when files run out: those who wait are served when some are free again.
    this.#server.on('error', (error) =>
      this.#parts.report(`a connection could not be accepted: ${error.message}`),
    );
    this.#watchRevocations();
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
    clearInterval(this.#sweep);
    await this.#flushRefusals('all');
  }

  async #flushRefusals(what: 'due' | 'all'): Promise<void> {
    try {
      await this.#refusals.flush(what);
    } catch (error) {
      if (!this.#auditFailed) this.#parts.report(`refused connections are not on record: ${reasonOf(error)}`);
    }
  }

  #take(socket: Socket): void {
    const source = { ip: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
    const refusal = this.#auditFailed ? 'audit-unavailable' : this.#admission.enter(source.ip);
    if (refusal !== undefined) {
      socket.destroy();
      if (refusal !== 'audit-unavailable') this.#refusals.count(source, refusal);
      return;
    }
    // Of the accepted socket nothing is kept: its handle serves another one from here on.
    const work = this.#serve(linkFromSocket(adoptConnection(socket)), source);
    this.#connections.add(work);
    void work.finally(() => this.#connections.delete(work));
  }

  async #innerOver(): Promise<void> {
    const deadlineMs = this.#parts.now() + drainMs;
    while (this.#sessions.size > 0 && this.#parts.now() < deadlineMs) await sleep(20);
    // The last words of the last one are on their way.
    await sleep(20);
  }

  #serveInner(source: ConnectionContext['source'], ...[stream, passage]: Parameters<JumpOptions['serve']>) {
    const refusal = this.#auditFailed ? 'audit-unavailable' : this.#admission.enter(source.ip);
    if (refusal !== undefined) return { refused: `the gateway takes no more connections now (${refusal})` };
    const work = this.#serve(linkFromDuplex(stream), source, passage);
    this.#connections.add(work);
    void work.finally(() => this.#connections.delete(work));
    return work;
  }

  async #serve(link: ByteLink, source: ConnectionContext['source'], passage?: JumpPassage): Promise<void> {
    try {
      const session = await this.#open(link, source, passage);
      if (session === undefined) return;
      await session.finish().finally(() => this.#sessions.delete(session.facts.sessionId));
    } catch (error) {
      this.#parts.report(`a connection from ${source.ip} ended with a fault: ${reasonOf(error)}`);
      link.destroy();
    } finally {
      this.#admission.leave(source.ip);
    }
  }

  async #open(
    link: ByteLink,
    source: ConnectionContext['source'],
    passage: JumpPassage | undefined,
  ): Promise<Session | undefined> {
    let opening: Transport | undefined;
    const started = this.#startups.enter(source.ip, () => {
      this.#refusals.count(source, 'too-many-startups');
      link.destroy();
    });
    try {
      return await openConnection({
        parts: this.#parts,
        sessions: this.#sessions,
        secondFactor: this.#secondFactor,
        securityKeyCounters: this.#securityKeyCounters,
        link,
        source,
        ...(passage === undefined ? {} : { passage }),
        hostCertificates: this.#hostCertificates,
        serveInner: (stream, inner) => this.#serveInner(source, stream, inner),
        onAuthenticated: started,
        onJump: (transport) => {
          this.#unjoined.delete(transport);
          this.#jumps.add(transport);
        },
        onTransport: (transport) => {
          opening = transport;
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

async function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<Gateway['address']> {
  await new Promise<void>((resolve, reject) => {
    const refuse = (error: NodeJS.ErrnoException) => reject(listenError(error, at));
    server.once('error', refuse);
    server.listen(at.port, at.host, () => {
      server.removeListener('error', refuse);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new GatewayError('cannot-listen', 'the system gave no TCP address to listen on');
  return { host: address.address, port: address.port };
}

function listenError(
  error: NodeJS.ErrnoException,
  at: { readonly host: string; readonly port: number },
): GatewayError {
  const where = `${at.host}:${at.port}`;
  switch (error.code) {
    case 'EADDRINUSE':
      return new GatewayError(
        'port-taken',
        `${where} is taken by another program; choose another port with --ssh-port N`,
        { cause: error },
      );
    case 'EACCES':
      return new GatewayError(
        'port-forbidden',
        `this user may not listen on ${where}; choose a port above 1023 with --ssh-port N`,
        { cause: error },
      );
    default:
      return new GatewayError('cannot-listen', `cannot listen on ${where}: ${error.message}`, {
        cause: error,
      });
  }
}

/** A dual-stack socket calls 192.0.2.1 ::ffff:192.0.2.1. */
function plainAddress(address: string | undefined): string {
  return (address ?? '').replace(/^::ffff:(?=\d+\.)/i, '');
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : 'unknown';
}
