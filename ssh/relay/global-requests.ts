import {
  decodeBoundPort,
  decodeGlobalRequest,
  encodeRequestFailure,
  type GlobalRequest,
} from '../connection/index.ts';
import type { Answer, RelayGates, RelayTaps, Verdict } from './contract.ts';
import { decide, type Overseer } from './decision.ts';
import { type HostKeyRotation, hostKeysProofRequest, hostKeysRequest } from './host-key-rotation.ts';
import type { Leg } from './leg.ts';
import { RelayError } from './relay-error.ts';
import { isClientOnly, isForwardRequest, type TargetPermissions } from './target-permissions.ts';

/** GLOBAL_REQUEST and its two answers, RFC 4254 §4, in either direction. */
export class GlobalRequests {
  readonly #permissions: TargetPermissions;
  readonly #gates: RelayGates;
  readonly #taps: RelayTaps;
  readonly #overseer: Overseer;
  readonly #hostKeys: HostKeyRotation;
  /** Forwards passed on that the target has not answered. */
  #forwardsAsked = 0;

  constructor(
    permissions: TargetPermissions,
    gates: RelayGates,
    taps: RelayTaps,
    overseer: Overseer,
    hostKeys: HostKeyRotation,
  ) {
    this.#hostKeys = hostKeys;
    this.#permissions = permissions;
    this.#gates = gates;
    this.#taps = taps;
    this.#overseer = overseer;
  }

  request(leg: Leg, plain: Buffer, payloadLength: number): void {
    const request = decodeGlobalRequest(plain.subarray(1, 1 + payloadLength), leg.side);
    if (request.wantReply && leg.replies.isFull)
      throw new RelayError(
        'too-many-requests',
        `the ${leg.side} has too many unanswered global requests`,
        leg.side,
      );
    if (this.#isOursToAnswer(leg, request)) {
      respond(leg, request, this.#ourAnswer(leg, request));
      return;
    }
    const apply = (verdict: Verdict) => this.#apply(leg, request, verdict, plain, payloadLength);
    decide(leg, this.#overseer, () => this.#gates.globalRequest(request), apply);
  }

  reply(leg: Leg, plain: Buffer, payloadLength: number, answer: 'success' | 'failure'): void {
    const { replies } = leg.other;
    const request = replies.settle();
    if (request === undefined)
      throw new RelayError(
        'unexpected-reply',
        `the ${leg.side} answered a global request that was not made`,
        leg.side,
      );
    if (request === 'ours') {
      this.#answerDue(leg.other);
      return;
    }
    const boundPort =
      answer === 'success' && choosesPort(request)
        ? decodeBoundPort(plain.subarray(1, 1 + payloadLength))
        : undefined;
    this.#answered(request, answer, boundPort);
    leg.other.transport.forward(plain, payloadLength);
    this.#answerDue(leg.other);
  }

  #answerDue(leg: Leg): void {
    const { replies } = leg;
    for (let due = replies.due(); due !== undefined; due = replies.due()) leg.answer(due);
  }

  /** The legs are gone: what `leg` asked stays unanswered. */
  abandon(leg: Leg): void {
    for (const request of leg.replies.abandon()) this.#answered(request, 'none');
  }

  /**
   * Host key proofs are bound to a leg's own session identifier and host key, so they mean nothing on the other leg
   * (OpenSSH PROTOCOL §2.5).
   */
  #isOursToAnswer(leg: Leg, request: GlobalRequest): boolean {
    if (request.type === hostKeysRequest || request.type === hostKeysProofRequest) return true;
    if (leg.side === 'target') return isClientOnly(request);
    // Those that wait for the target's answer count, or a client that asks for many in one breath would get them all.
    if (!isNewForward(request) || this.#permissions.isForwardLeft(this.#forwardsAsked)) return false;
    this.#taps.limitReached?.('forwards');
    return true;
  }

  #ourAnswer(leg: Leg, request: GlobalRequest): Buffer {
    const { detail, type, wantReply } = request;
    const asksProof = leg.side === 'client' && type === hostKeysProofRequest && detail.kind === 'other';
    const proof = asksProof && wantReply ? this.#hostKeys.prove(detail.data, leg.transport) : undefined;
    return proof ?? encodeRequestFailure();
  }

  #apply(leg: Leg, request: GlobalRequest, verdict: Verdict, plain: Buffer, payloadLength: number): void {
    if (verdict.kind !== 'pass') {
      respond(leg, request, encodeRequestFailure());
      return;
    }
    // Binding from here on whatever the target says of it: it is the client that asked.
    if (request.detail.kind === 'no-more-sessions') this.#permissions.sessionsEnded();
    leg.other.transport.forward(plain, payloadLength);
    if (!request.wantReply) {
      this.#answered(request, 'none');
      return;
    }
    leg.replies.expect(request);
    if (isNewForward(request)) this.#forwardsAsked += 1;
  }

  #answered(request: GlobalRequest, answer: Answer, boundPort?: number): void {
    if (request.wantReply && isNewForward(request)) this.#forwardsAsked -= 1;
    const granted = answer === 'success' || (answer === 'none' && !request.wantReply);
    if (granted && isForwardRequest(request)) this.#permissions.forwardGranted(request, boundPort);
    this.#taps.globalRequestAnswered?.(request, answer, boundPort);
  }
}

/** In its turn: answers of the other end to earlier requests come first. */
function respond(leg: Leg, request: GlobalRequest, answer: Buffer): void {
  if (request.wantReply && leg.replies.answer(answer)) leg.answer(answer);
}

function isNewForward(request: GlobalRequest): boolean {
  return request.detail.kind === 'tcpip-forward' || request.detail.kind === 'streamlocal-forward';
}

function choosesPort(request: GlobalRequest): boolean {
  return request.detail.kind === 'tcpip-forward' && request.detail.port === 0;
}
