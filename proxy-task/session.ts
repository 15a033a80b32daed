import { type AuditDraft, type LiveSession, type Lock, type Revocation, sessionId } from '#core/contract';
import {
  denyAccess,
  type EndReason,
  endSession,
  type Refusal,
  reportAuditLoss,
  reportSessionUsage,
  revokeSession,
  type SessionFacts,
  startSession,
  storeRecording,
} from '#core/event';
import { lockRefusal } from '#core/lock';
import type { Decision, PolicyAction, SessionRules } from '#core/policy';
import { RecorderError } from '#core/recording';
import { createRelay, DisconnectReason, type Relay, type RelayEnd, type Transport } from '#ssh';
import { type ChannelOwner, createSessionChannels } from './channels/index.ts';
import { keepaliveOf, relayLimits } from './gateway-limits.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { countEarlier, takeIdentityPlace } from './identity-sessions.ts';
import type { ChannelRecorder, RecordingExit } from './recording/index.ts';
import type { SessionAccess } from './session-access.ts';
import { createSessionLimits, type SessionLimits } from './session-limits.ts';
import { createUsageMeter, type UsageMeter } from './session-usage.ts';
import { createContentHashing } from './transfer/index.ts';

/**
 * Window for what a transfer's gate says in the target's place. OpenSSH grants more at the latest when it has taken 96 KiB, so that
 * it never runs out.
 */
const gateReserveBytes = 131_072;

/** One thread for all sessions of the process. */
const hashing = createContentHashing();

/** Why a session was told to stop, and what its engineer reads. */
export type StopOrder = {
  readonly endReason: EndReason;
  readonly message: string;
  readonly lockId?: string;
  readonly policySha256?: string | undefined;
};

const limitRefusals = {
  channels: {
    errorCode: 'SessionLimitExceeded',
    denyReason: 'too-many-channels',
    message:
      'a channel was refused; close others first, or ask who runs sshtrail to raise maxChannelsPerConnection',
  },
  forwards: {
    errorCode: 'SessionLimitExceeded',
    denyReason: 'too-many-forwards',
    message: 'a forward was refused; cancel others first, or ask who runs sshtrail to raise maxForwards',
  },
} as const;

/** One engineer on one target, from StartSession to EndSession. Owns both legs once they stand. */
export class Session {
  readonly facts: SessionFacts;
  readonly #parts: GatewayParts;
  readonly #access: SessionAccess;
  /** Whether a lock is on the session, by what is known now. */
  readonly #locked: () => Refusal | undefined;
  readonly #owed = new Set<Promise<void>>();
  readonly #usage: UsageMeter;
  readonly #limits: SessionLimits;
  readonly #startedAtMs: number;
  /** Told when the session must stop while its target is still being dialled. */
  onStop: (() => void) | undefined;
  #order: StopOrder | undefined;
  #relay: Relay | undefined;
  #legs: { readonly client: Transport; readonly target: Transport } | undefined;
  #recordings = 0;
  #channels = 0;
  #placed = false;
  #recorded = false;
  #closed = false;
  #recordingLost = false;
  readonly #limitsReached = new Set<keyof typeof limitRefusals>();

  constructor(
    parts: GatewayParts,
    facts: SessionFacts,
    access: SessionAccess,
    locked: () => Refusal | undefined,
  ) {
    this.#parts = parts;
    this.facts = facts;
    this.#access = access;
    this.#locked = locked;
    this.#startedAtMs = parts.now();
    this.#limits = createSessionLimits({
      startedAtMs: this.#startedAtMs,
      now: parts.now,
      notice: (text) => this.notice(text),
      stop: (order) => this.stop(order),
    });
    this.#usage = createUsageMeter({
      now: parts.now,
      report: (usage) =>
        this.#owe(parts.journal.record(reportSessionUsage(facts, parts.now(), usage)).then(() => undefined)),
    });
  }

  /** What the engineer is told, once the session was told to stop. */
  get stopMessage(): string | undefined {
    return this.#order?.message;
  }

  /** Whether the policies in force now are those that were asked of it last. */
  get isCurrent(): boolean {
    return this.#access.isCurrent;
  }

  /** False where the identity has `atMost` sessions already; this one is none then. */
  async takePlace(atMost: number): Promise<boolean> {
    this.#placed = await takeIdentityPlace(this.#parts.control, this.#liveSession(), atMost);
    return this.#placed;
  }

  /** Puts the session on record. Nothing may reach the target before this has resolved. `rules`: what let it in asks of it. */
  async open(rules: SessionRules): Promise<void> {
    const { journal, control } = this.#parts;
    await journal.record(startSession(this.facts, this.#startedAtMs));
    this.#recorded = true;
    await control.put('session', this.facts.sessionId, this.#liveSession(), { kind: 'any' });
    this.#limits.heed(rules);
  }

  /** Joins the legs; `accept` lets the engineer in. Nothing is joined where the session was told to stop meanwhile. */
  join(client: Transport, target: Transport, accept: () => void): void {
    this.#legs = { client, target };
    if (this.#order !== undefined) return;
    const { gates, taps } = createSessionChannels(this.#owner());
    this.#relay = createRelay({
      client,
      target,
      gates,
      taps: {
        ...taps,
        channelData: (channel, from, stream, data) => {
          if (from === 'client') this.#limits.touch();
          taps.channelData?.(channel, from, stream, data);
        },
        channelOpened: (channel) => {
          this.#channels += 1;
          taps.channelOpened?.(channel);
        },
        limitReached: (limit) => this.#limitReached(limit),
      },
      limits: { ...relayLimits(this.#parts.settings), gateReserveBytes },
      // Inside a jump the gateway answers as the target: its own keys are not for that name.
      hostKeys:
        this.facts.jumpId === undefined ? this.#parts.hostKeys.map(({ privateKey }) => privateKey) : [],
      ...keepaliveOf(this.#parts.settings),
    });
    accept();
  }

  /** Settles when the relay has ended and the end is on record. */
  async finish(): Promise<void> {
    if (this.#relay !== undefined) {
      const end = await this.#relay.ended;
      this.#order ??= orderOf(end);
    }
    const why = this.#order?.message ?? 'the session has ended';
    this.#legs?.client.cut(
      DisconnectReason.byApplication,
      `sshtrail: ${why} (session ${this.facts.sessionId})`,
    );
    this.#legs?.target.cut(DisconnectReason.byApplication, 'the session has ended');
    await this.close();
  }

  /** Ends the session at once and tells the engineer why. The first order counts. */
  stop(order: StopOrder): void {
    if (this.#order !== undefined) return;
    this.#order = order;
    const text = `sshtrail: ${order.message} (session ${this.facts.sessionId})`;
    this.#relay?.notice(text);
    this.#relay?.cut(DisconnectReason.byApplication, text);
    this.onStop?.();
  }

  /**
   * Ends the session where it would not be let in by the policies in force now; what those that let it in ask of it holds from now on.
   * Rejects where that cannot be told because the store cannot be read.
   */
  async judgeAgain(live: () => Promise<readonly LiveSession[]>): Promise<void> {
    if (this.#order !== undefined || this.#closed || this.#access.isCurrent) return;
    const decision = await this.#access.connectAgain(async () =>
      countEarlier(await live(), this.#liveSession()),
    );
    if (decision.allowed) this.#limits.heed(this.#access.rulesOf(decision.policyIds));
    else
      this.stop({
        endReason: 'PolicyChanged',
        message: `the policies have changed: ${decision.message}`,
        policySha256: this.#parts.policies.current()?.version,
      });
  }

  /** Says something on the engineer's terminals, between what the target says. */
  notice(text: string): void {
    this.#relay?.notice(`sshtrail: ${text}`);
  }

  /** Stops reading both legs, so that nothing more happens unrecorded. */
  freeze(): void {
    this.#legs?.client.setReadPaused(true);
    this.#legs?.target.setReadPaused(true);
  }

  async revoke(revocation: Revocation): Promise<void> {
    if (this.#order !== undefined) return;
    const { journal, now } = this.#parts;
    await journal.record(revokeSession(this.facts, now(), { by: revocation.by, why: revocation.message }));
    this.stop({ endReason: 'Revoked', message: revocation.message });
  }

  /** Nothing more happens in it while that is put on record, and then it ends. */
  async lockOut(lock: Lock): Promise<void> {
    if (this.#order !== undefined) return;
    const { journal, now } = this.#parts;
    this.freeze();
    await journal.record(
      revokeSession(this.facts, now(), { by: lock.author, why: lock.message, lockId: lock.lockId }),
    );
    this.stop({ endReason: 'Locked', message: lockRefusal(lock).message, lockId: lock.lockId });
  }

  /** Puts the end on record. `failure` is why there was never a relay. */
  async close(failure?: StopOrder): Promise<void> {
    const { journal, control, now } = this.#parts;
    this.#limits.end();
    if (this.#placed && !this.#recorded) await control.delete('session', this.facts.sessionId);
    if (!this.#recorded || this.#closed) return;
    this.#closed = true;
    this.#usage.end();
    await this.#settleOwed();
    const order = this.#order ??
      failure ?? { endReason: 'Error', message: 'the session ended before it began' };
    const at = now();
    const client = this.#legs?.client;
    await journal.record(
      endSession(this.facts, at, {
        endReason: order.endReason,
        bytesIn: client?.bytesIn ?? 0,
        bytesOut: client?.bytesOut ?? 0,
        seconds: (at - this.#startedAtMs) / 1000,
        channels: this.#channels,
        recordings: this.#recordings,
        detail: order.message,
        lockId: order.lockId,
        policySha256: order.policySha256,
      }),
    );
    await control.delete('session', this.facts.sessionId);
    await control.delete('revocation', this.facts.sessionId);
  }

  #owner(): ChannelOwner {
    const { journal, recorder, now, redact } = this.#parts;
    return {
      facts: this.facts,
      access: { ...this.#access, decide: (action) => this.#decide(action) },
      locked: this.#locked,
      now,
      record: async (draft: AuditDraft) => {
        await journal.record(draft);
      },
      owe: (work) => this.#owe(work),
      holdUntil: (work) => this.#holdUntil(work),
      hashing,
      usage: this.#usage,
      redact,
      startRecording: (channel, kind, terminal, command, lines) =>
        recorder.start({
          sessionId: sessionId(this.facts.sessionId),
          channel,
          kind,
          ...terminal,
          ...lines,
          ...(command === undefined ? {} : { command }),
          onFault: (error) => this.#recordingFailed(error),
        }),
      storeRecording: async (channelRecorder, exit) => this.#storeRecording(channelRecorder, exit),
    };
  }

  /** Whatever else is allowed may bring rules of its own; and who asks is there. */
  #decide(action: PolicyAction): Decision {
    const decision = this.#access.decide(action);
    this.#limits.touch();
    if (decision.allowed) this.#limits.heed(this.#access.rulesOf(decision.policyIds));
    return decision;
  }

  #holdUntil(work: Promise<void>): void {
    const legs = this.#legs;
    legs?.client.hold();
    legs?.target.hold();
    void work.finally(() => {
      legs?.client.release();
      legs?.target.release();
    });
  }

  async #storeRecording(channelRecorder: ChannelRecorder, exit: RecordingExit | undefined): Promise<void> {
    try {
      await channelRecorder.finish(exit, async (stored) => {
        this.#recordings += 1;
        await this.#parts.journal.record(storeRecording(this.facts, this.#parts.now(), stored));
      });
    } catch (error) {
      if (!(error instanceof RecorderError)) throw error;
      this.#recordingFailed(error);
    }
  }

  /** What the terminal shows can no longer be kept: by configuration the session ends, or goes on with an event that says so. */
  #recordingFailed(error: RecorderError): void {
    if (this.#recordingLost) return;
    this.#recordingLost = true;
    const { journal, now, settings, report } = this.#parts;
    report(`session ${this.facts.sessionId}: its recording failed: ${error.message}`);
    const { proxyId, version } = settings;
    const loss = reportAuditLoss({ proxyId, version }, now(), {
      subject: 'recording',
      sessionId: this.facts.sessionId,
      reason: error.message,
    });
    this.#owe(journal.record(loss).then(() => undefined));
    if (settings.onRecordingFailure === 'close')
      this.stop({
        endReason: 'AuditUnavailable',
        message: 'the recording cannot be written, so the session ends',
      });
  }

  /** On record once for each limit: who runs into it again and again must not fill the journal. */
  #limitReached(limit: keyof typeof limitRefusals): void {
    if (this.#limitsReached.has(limit)) return;
    this.#limitsReached.add(limit);
    const { journal, now } = this.#parts;
    this.#owe(journal.record(denyAccess(this.facts, now(), limitRefusals[limit])).then(() => undefined));
  }

  /** A failure of owed work is a failure of the evidence: the session does not go on without. */
  #owe(work: Promise<void>): void {
    const settled = work.catch((error: unknown) => {
      this.#parts.report(
        `session ${this.facts.sessionId}: ${error instanceof Error ? error.message : 'unknown fault'}`,
      );
      this.stop({
        endReason: 'AuditUnavailable',
        message: 'what happens here can no longer be recorded, so the session ends',
      });
    });
    this.#owed.add(settled);
    void settled.finally(() => this.#owed.delete(settled));
  }

  async #settleOwed(): Promise<void> {
    while (this.#owed.size > 0) await Promise.all(this.#owed);
  }

  #liveSession(): LiveSession {
    const { facts } = this;
    const { host, port, labels } = facts.target;
    return {
      sessionId: facts.sessionId,
      identity: facts.identity.name,
      principalId: facts.identity.principalId,
      login: facts.login,
      target: facts.target.name,
      sourceIp: facts.sourceIp,
      userAgent: facts.userAgent,
      mfa: facts.mfa.verified,
      mfaMethod: facts.mfa.method,
      startedAtMs: this.#startedAtMs,
      proxyId: facts.proxyId,
      state: 'open',
      keyFingerprint: facts.keyFingerprint,
      ...(facts.certificateSerial === undefined ? {} : { certificateSerial: facts.certificateSerial }),
      targetFacts: { host, port, labels },
    };
  }
}

function orderOf(end: RelayEnd): StopOrder {
  switch (end.by) {
    case 'client':
      return { endReason: 'ClientDisconnect', message: end.description };
    case 'target':
      return { endReason: 'TargetClosed', message: end.description };
    case 'fault':
      return {
        endReason: end.code === DisconnectReason.protocolError ? 'ProtocolError' : 'Error',
        message: end.description,
      };
    case 'gateway':
      return { endReason: 'Error', message: end.description };
  }
}
