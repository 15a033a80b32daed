import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { Target } from '#core/contract';
import { closeJump, denyAccess, type LoginAttempt, openJump, type Refusal } from '#core/event';
import { InventoryError } from '#core/inventory';
import { lockRefusal } from '#core/lock';
import {
  type AuthenticatedUser,
  type ChannelOpen,
  createEndpoint,
  DisconnectReason,
  type HostKey,
  type OpenDecision,
  type Transport,
} from '#ssh';
import type { GatewayParts } from './gateway-parts.ts';
import type { HostCertificates } from './host-certificates.ts';
import { type EndOrder, type Lockable, type LockGuard, lockFactsOf } from './locks/index.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';

/** How a connection came that is the inner one of a jump. */
export type JumpPassage = {
  /** Of the outer connection. */
  readonly connectionId: string;
  /** Who proved the outer connection: nobody else may use it. */
  readonly engineer: ProvenEngineer;
  readonly target: Target;
  /** What the gateway presents as that target. */
  readonly hostKeys: readonly HostKey[];
};

export type JumpOptions = {
  readonly parts: GatewayParts;
  readonly hostCertificates: HostCertificates;
  readonly locks: LockGuard;
  readonly transport: Transport;
  readonly user: AuthenticatedUser;
  readonly engineer: ProvenEngineer;
  readonly attempt: LoginAttempt;
  /** Serves the SSH connection inside a channel; settles when it is over. A refusal is a sentence. */
  readonly serve: (stream: Duplex, passage: JumpPassage) => Promise<void> | { readonly refused: string };
};

/** Connections inside that are told to end get this long to be gone. */
const innerGraceMs = 1_000;
const controlUnreadable = 'the gateway can no longer read who is locked out, so the connection ends';
const prohibited = 1;
const connectFailed = 2;
/** After so many refused channels a client is not lost but searching. */
const maxRefusals = 20;
const howTo = 'this gateway has no shell: use ssh LOGIN@TARGET@GATEWAY, or ssh -J GATEWAY LOGIN@TARGET';

/**
 * A connection that names no target, such as that of `ssh -J` and `ssh -W` (ssh_config ProxyJump): it carries nothing but direct-tcpip channels to
 * known targets, and each of those ends here, as an SSH connection to that target. Settles when the connection is over and on record.
 */
export async function serveJump(options: JumpOptions): Promise<void> {
  const { parts, locks, transport, attempt } = options;
  const jump = new Jump(options);
  const refusal = locks.enter(lockFactsOf(attempt), jump);
  if (refusal !== undefined) {
    await parts.journal.record(denyAccess(attempt, parts.now(), refusal));
    transport.cut(DisconnectReason.byApplication, wordsTo(attempt, refusal.message));
    return;
  }
  try {
    await serve(jump, options);
  } finally {
    locks.leave(attempt.sessionId);
  }
}

async function serve(jump: Jump, { parts, transport, user, attempt }: JumpOptions): Promise<void> {
  const { journal, now } = parts;
  const openedAtMs = now();
  await journal.record(openJump(attempt, openedAtMs));
  const endpoint = createEndpoint(transport, { onOpen: (open) => jump.decide(open) });
  user.accept();
  const end = await endpoint.ended;
  await jump.settled();
  await journal.record(
    closeJump(attempt, now(), {
      sessions: jump.connections,
      seconds: (now() - openedAtMs) / 1000,
      reason: jump.orderedToEnd ?? end.description,
    }),
  );
}

class Jump implements Lockable {
  /** Inner connections, those that never became sessions too. */
  connections = 0;
  /** Why, once a lock or the like has ended it: the client may be quicker to leave than it is to be cut. */
  orderedToEnd: string | undefined;
  readonly #options: JumpOptions;
  readonly #inner = new Set<Promise<void>>();
  /** Channels that were not refused and are not accepted yet. */
  #deciding = 0;
  #refusals = 0;

  constructor(options: JumpOptions) {
    this.#options = options;
  }

  async decide(open: ChannelOpen): Promise<OpenDecision> {
    const { detail } = open;
    if (detail.kind !== 'direct-tcpip') return this.#refuse(prohibited, howTo);
    const { parts, hostCertificates, engineer, attempt } = this.#options;
    let target: Target | undefined;
    try {
      target = await targetAt(parts, detail.host, detail.port);
    } catch (error) {
      if (!(error instanceof InventoryError)) throw error;
      return this.#refuse(connectFailed, 'which targets there are cannot be told now; try again later');
    }
    if (target === undefined)
      return this.#refuse(
        prohibited,
        `${printable(detail.host)} port ${detail.port} is no target of this gateway; check the name, or ask who runs the inventory`,
      );
    const locked = await this.#options.locks.refusalOf({ ...lockFactsOf(attempt), target: target.name });
    if (locked !== undefined) return this.#refuse(prohibited, locked.message, locked);
    if (this.#inner.size + this.#deciding >= parts.settings.maxChannelsPerConnection)
      return this.#refuse(connectFailed, 'too many connections are open inside this one');
    // From here to the acceptance others may be decided, too: its place is taken now.
    this.#deciding += 1;
    let hostKeys: readonly HostKey[];
    try {
      hostKeys = await hostCertificates.hostKeysFor([target.name, detail.host]);
    } catch (error) {
      this.#deciding -= 1;
      parts.report(
        `no host certificate for ${target.name}: ${error instanceof Error ? error.message : 'unknown'}`,
      );
      return this.#refuse(connectFailed, 'the gateway cannot certify that target now; try again later');
    }
    const passage: JumpPassage = { connectionId: attempt.sessionId, engineer, target, hostKeys };
    return {
      accept: (channel) => {
        this.#deciding -= 1;
        const served = this.#options.serve(channel, passage);
        if (!(served instanceof Promise)) {
          channel.destroy(new Error(served.refused));
          return;
        }
        this.connections += 1;
        this.#inner.add(served);
        void served.finally(() => this.#inner.delete(served));
      },
    };
  }

  /** Those inside hear why first: their words travel through this connection. */
  end(order: EndOrder): void {
    const { transport, attempt } = this.#options;
    const why = order.kind === 'locked' ? lockRefusal(order.lock).message : controlUnreadable;
    this.orderedToEnd ??= why;
    void Promise.race([this.settled(), delay(innerGraceMs, undefined, { ref: false })]).then(() =>
      transport.cut(DisconnectReason.byApplication, wordsTo(attempt, why)),
    );
  }

  async settled(): Promise<void> {
    while (this.#inner.size > 0) await Promise.all(this.#inner);
  }

  async #refuse(
    reason: number,
    message: string,
    refusal: Refusal = { errorCode: 'AccessDenied', denyReason: 'jump-refused', message },
  ): Promise<OpenDecision> {
    const { parts, transport, attempt } = this.#options;
    this.#refusals += 1;
    if (this.#refusals > maxRefusals) {
      transport.cut(DisconnectReason.byApplication, 'sshtrail: too many refused channels');
      return { refuse: { reason, message } };
    }
    await parts.journal.record(denyAccess(attempt, parts.now(), refusal));
    return { refuse: { reason, message: wordsTo(attempt, message) } };
  }
}

/** By its name or the address the inventory has for it, and by its port or the one that clients take for granted. */
async function targetAt(parts: GatewayParts, host: string, port: number): Promise<Target | undefined> {
  const name = host.toLowerCase();
  const byName = await parts.inventory.find(name);
  if (byName !== undefined) return port === 22 || port === byName.port ? byName : undefined;
  const byAddress = (await parts.inventory.list()).filter(
    (target) => target.host.toLowerCase() === name && target.port === port,
  );
  // Two names for one address would leave open which of them policy is asked about.
  return byAddress.length === 1 ? byAddress[0] : undefined;
}

function wordsTo({ sessionId }: LoginAttempt, message: string): string {
  return `sshtrail: ${message} (session ${sessionId})`;
}

function printable(host: string): string {
  return host.replace(/[^\x21-\x7e]/g, '?').slice(0, 255);
}
