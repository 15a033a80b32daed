import { createServer, type Server } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { adoptConnection, type ByteLink, DisconnectReason, linkFromSocket, type Transport } from '#ssh';
import { createAdmission } from './admission.ts';
import { type ConnectionContext, openConnection, type SessionRegistry } from './connection.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { createTotpFactor } from './second-factor.ts';
import type { Session } from './session.ts';

export type Gateway = {
  /** Where it listens, the port chosen where 0 was asked for. */
  readonly address: { readonly host: string; readonly port: number };
  /** Sessions open now. */
  readonly sessionCount: number;
  /** Takes no more connections, tells the engineers, and settles when every session is on record as ended. */
  close(reason: string): Promise<void>;
};

class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: 'port-taken' | 'port-forbidden' | 'cannot-listen';

  constructor(code: GatewayError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** How soon after a revocation was written its session is cut, at most. */
const revocationLatencyMs = 250;
/** TCP keepalive: a peer that is gone without a word is noticed. Milliseconds of silence before the first probe. */
const keepAliveInitialDelay = 60_000;
/** What a connection that was told to end may take before it is destroyed. */
const drainMs = 5_000;
/** Frozen sessions see why they end for this long. */
const freezeMs = 300;

/** Listens and serves until closed. The journal's failure ends every session: nothing happens without evidence. */
export async function startGateway(parts: GatewayParts, auditFailure: Promise<Error>): Promise<Gateway> {
  const sessions: SessionRegistry = new Map();
  /** Engineers' connections that are no session yet. */
  const unjoined = new Set<Transport>();
  const connections = new Set<Promise<void>>();
  const stopping = new AbortController();
  const secondFactor = createTotpFactor(parts.control, parts.now);
  const admission = createAdmission(
    {
      maxConnections: parts.settings.maxSessions,
      maxConnectionsPerSource: parts.settings.maxConnectionsPerSource,
      maxStartsPerSourcePerMinute: parts.settings.maxStartsPerSourcePerMinute,
    },
    parts.now,
  );
  let auditFailed = false;

  const server = createServer(
    { pauseOnConnect: true, noDelay: true, keepAlive: true, keepAliveInitialDelay },
    (socket) => {
      const source = { ip: plainAddress(socket.remoteAddress), port: socket.remotePort ?? 0 };
      const refusal = auditFailed ? 'audit-unavailable' : admission.enter(source.ip);
      if (refusal !== undefined) {
        socket.destroy();
        return;
      }
      // Of the accepted socket nothing is kept: its handle serves another one from here on.
      const work = serve(linkFromSocket(adoptConnection(socket)), source);
      connections.add(work);
      void work.finally(() => connections.delete(work));
    },
  );

  async function serve(link: ByteLink, source: ConnectionContext['source']): Promise<void> {
    try {
      const session = await open(link, source);
      if (session === undefined) return;
      await session.finish().finally(() => sessions.delete(session.facts.sessionId));
    } catch (error) {
      parts.report(
        `a connection from ${source.ip} ended with a fault: ${error instanceof Error ? error.message : 'unknown'}`,
      );
      link.destroy();
    } finally {
      admission.leave(source.ip);
    }
  }

  async function open(link: ByteLink, source: ConnectionContext['source']): Promise<Session | undefined> {
    let opening: Transport | undefined;
    try {
      return await openConnection({
        parts,
        sessions,
        secondFactor,
        link,
        source,
        onTransport(transport) {
          opening = transport;
          unjoined.add(transport);
        },
      });
    } catch (error) {
      opening?.cut(
        DisconnectReason.byApplication,
        'sshtrail: the gateway could not go on with this connection',
      );
      throw error;
    } finally {
      if (opening !== undefined) unjoined.delete(opening);
    }
  }

  const address = await listen(server, parts.settings.listen);
  parts.control.watch('revocation', {
    latencyMs: revocationLatencyMs,
    signal: stopping.signal,
    onChange: (item) => {
      const session = sessions.get(item.data.sessionId);
      if (session === undefined) return;
      session.revoke(item.data).catch((error: unknown) => {
        parts.report(
          `session ${item.data.sessionId} could not be revoked with evidence, so it is cut: ${error instanceof Error ? error.message : 'unknown'}`,
        );
        session.stop({ endReason: 'Revoked', message: item.data.message });
      });
    },
    onFault: (error) => parts.report(`revocations cannot be read: ${error.message}`),
  });

  async function endAll(error: Error): Promise<void> {
    auditFailed = true;
    parts.report(
      `the audit trail cannot be written (${error.message}); every session ends and no new one is taken`,
    );
    for (const session of sessions.values()) session.freeze();
    await sleep(freezeMs);
    for (const session of sessions.values()) {
      session.stop({
        endReason: 'AuditUnavailable',
        message: 'the audit trail cannot be written, so the session ends',
      });
    }
  }
  void auditFailure.then(endAll);

  return {
    address,
    get sessionCount() {
      return sessions.size;
    },
    async close(reason) {
      stopping.abort();
      server.close();
      for (const session of sessions.values()) session.stop({ endReason: 'ProxyShutdown', message: reason });
      for (const transport of unjoined)
        transport.cut(DisconnectReason.byApplication, `sshtrail: ${reason}`, drainMs);
      await Promise.all(connections);
    },
  };
}

async function listen(
  server: Server,
  at: { readonly host: string; readonly port: number },
): Promise<Gateway['address']> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, at)));
    server.listen(at.port, at.host, resolve);
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
