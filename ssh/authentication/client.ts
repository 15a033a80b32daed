import type { PublicKey, SignatureAlgorithm } from '../keys/contract.ts';
import type { Transport } from '../transport/contract.ts';
import { whenEnded } from '../transport/index.ts';
import { DisconnectReason, MessageNumber, WireError } from '../wire/index.ts';
import { AuthenticationError } from './authentication-error.ts';
import type { ClientAuthenticationOptions, ClientCredential, InfoRequest } from './contract.ts';
import { printableLine, printableLines } from './printable-text.ts';
import { certificateAlgorithmName } from './signature-use.ts';
import {
  authenticationService,
  decodeBanner,
  decodeFailure,
  decodeInfoRequest,
  decodeService,
  encodeInfoResponse,
  encodeService,
  signedBytes,
  startRequest,
} from './userauth-message.ts';

const maxBanners = 16;
const maxBannerBytes = 8192;
const maxPrompts = 32;
const maxInteractiveRounds = 16;
const maxLineLength = 512;
const maxMethods = 16;

/**
 * The client side of RFC 4252 and RFC 4256. A publickey credential that comes first is sent signed in one flight with
 * the service request; each credential is tried once, in order, where the target goes on with its method. Afterwards
 * `onMessage` is unset: the transport keeps what the target sends until the next layer takes over.
 *
 * @throws AuthenticationError when the target refused or left, or time ran out; the transport has been ended by then.
 */
export function authenticateToTarget(
  transport: Transport,
  options: ClientAuthenticationOptions,
): Promise<void> {
  return new Promise((resolve, reject) => {
    new ClientAuthentication(transport, options, { resolve, reject }).start();
  });
}

type Outcome = { readonly resolve: () => void; readonly reject: (error: AuthenticationError) => void };

/** What the target has to answer next. */
type Pending =
  | { readonly kind: 'nothing' }
  | { readonly kind: 'none' }
  | { readonly kind: 'credential'; readonly credential: ClientCredential; readonly rounds: number };

class ClientAuthentication {
  readonly #transport: Transport;
  readonly #user: string;
  readonly #onBanner: ((text: string) => void) | undefined;
  readonly #outcome: Outcome;
  /** In order; emptied at the end, so that no credential lives as long as the connection. */
  readonly #untried: Set<ClientCredential>;
  readonly #timeoutMs: number;
  #over = false;
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #serviceAccepted = false;
  #pending: Pending = { kind: 'nothing' };
  #methods: readonly string[] = [];
  #banners = 0;
  /** Why a credential of ours could not be used to its end. */
  #cause: unknown;

  constructor(transport: Transport, options: ClientAuthenticationOptions, outcome: Outcome) {
    this.#transport = transport;
    this.#user = options.user;
    this.#onBanner = options.onBanner;
    this.#timeoutMs = options.timeoutMs;
    this.#outcome = outcome;
    this.#untried = new Set(options.credentials);
  }

  start(): void {
    this.#timer = setTimeout(
      () => this.#fail(new AuthenticationError('timeout', 'the target did not authenticate us in time')),
      this.#timeoutMs,
    );
    this.#stopListening = whenEnded(this.#transport, (end) =>
      this.#fail(
        new AuthenticationError(
          'ended',
          `the target's connection ended before authentication did: ${end.description}`,
          end.error === undefined ? {} : { cause: end.error },
        ),
      ),
    );
    this.#transport.ready.then(
      () => this.#guard(() => this.#begin()),
      (cause: unknown) =>
        this.#fail(new AuthenticationError('ended', 'no connection to the target came about', { cause })),
    );
  }

  #begin(): void {
    if (this.#over) return;
    this.#transport.onMessage = (plain, payloadLength) =>
      this.#guard(() => this.#handle(plain.subarray(1, 1 + payloadLength)));
    this.#transport.send(encodeService(MessageNumber.serviceRequest, authenticationService));
    if (!this.#mustKnowSignatureAlgorithms()) this.#first();
  }

  /** EXT_INFO precedes SERVICE_ACCEPT (RFC 8308 §2.4), so an RSA key waits for that to know which hash to use. */
  #mustKnowSignatureAlgorithms(): boolean {
    const [first] = this.#untried;
    return (
      first?.method === 'publickey' &&
      first.privateKey.publicKey.algorithms.length > 1 &&
      this.#transport.peerSignatureAlgorithms === undefined
    );
  }

  #first(): void {
    const [first] = this.#untried;
    if (first?.method === 'publickey') return this.#attempt(first);
    // Not to show a password to a target that did not ask for one, nor to spend a one-time code on it.
    this.#pending = { kind: 'none' };
    this.#transport.send(startRequest(this.#user, 'none').finish());
  }

  #guard(act: () => void): void {
    try {
      act();
    } catch (error) {
      this.#fail(asAuthenticationError(error));
    }
  }

  #handle(payload: Buffer): void {
    if (this.#over) return;
    const number = payload[0];
    if (!this.#serviceAccepted) {
      if (number !== MessageNumber.serviceAccept || decodeService(payload) !== authenticationService)
        throw new AuthenticationError('protocol', `the target sent message ${number} before SERVICE_ACCEPT`);
      this.#serviceAccepted = true;
      if (this.#pending.kind === 'nothing') this.#first();
      return;
    }
    switch (number) {
      case MessageNumber.userauthFailure: {
        const methods = decodeFailure(payload).slice(0, maxMethods);
        this.#methods = methods.map((method) => printableLine(method, 64));
        return this.#next();
      }
      case MessageNumber.userauthSuccess:
        return this.#succeed();
      case MessageNumber.userauthBanner:
        return this.#banner(payload);
      case MessageNumber.userauthInfoRequest:
        return this.#methodSpecific(payload);
      default:
        throw new AuthenticationError('protocol', `the target sent message ${number} during authentication`);
    }
  }

  /** The next credential that was not tried and whose method the target goes on with. */
  #next(): void {
    for (const credential of this.#untried)
      if (this.#methods.includes(credential.method)) return this.#attempt(credential);
    const goesOnWith = this.#methods.join(',') || 'nothing';
    throw new AuthenticationError(
      'refused',
      `the target refused every credential; it goes on with: ${goesOnWith}`,
      { methods: this.#methods, ...(this.#cause === undefined ? {} : { cause: this.#cause }) },
    );
  }

  #attempt(credential: ClientCredential): void {
    this.#untried.delete(credential);
    this.#pending = { kind: 'credential', credential, rounds: 0 };
    switch (credential.method) {
      case 'publickey':
        return this.#transport.send(this.#signedRequest(credential));
      case 'password':
        return this.#transport.send(
          startRequest(this.#user, 'password').boolean(false).string(credential.password).finish(),
        );
      case 'keyboard-interactive':
        return this.#transport.send(
          startRequest(this.#user, 'keyboard-interactive').string('').string('').finish(),
        );
    }
  }

  #signedRequest(credential: ClientCredential & { readonly method: 'publickey' }): Buffer {
    const { privateKey, certificate } = credential;
    const algorithm = chooseAlgorithm(privateKey.publicKey, this.#transport.peerSignatureAlgorithms);
    const request = startRequest(this.#user, 'publickey')
      .boolean(true)
      .string(certificate === undefined ? algorithm : certificateAlgorithmName(algorithm))
      .string(certificate ?? privateKey.publicKey.blob);
    const signature = privateKey.sign(signedBytes(this.#transport.sessionId, request.finish()), algorithm);
    return request.string(signature).finish();
  }

  /** Number 60: its meaning follows from the method in progress. */
  #methodSpecific(payload: Buffer): void {
    const pending = this.#pending;
    if (pending.kind === 'credential' && pending.credential.method === 'password') {
      // PASSWD_CHANGEREQ (RFC 4252 §8): a password that must be changed first is not good for a session.
      this.#cause = new Error('the target asks for a new password before it lets this one in');
      return this.#next();
    }
    if (pending.kind !== 'credential' || pending.credential.method !== 'keyboard-interactive')
      throw new AuthenticationError('protocol', 'the target sent message 60 where no method has it');
    const request = decodeInfoRequest(payload, maxPrompts);
    if (pending.rounds >= maxInteractiveRounds)
      throw new AuthenticationError('protocol', 'the target asked too many rounds of questions');
    this.#pending = { ...pending, rounds: pending.rounds + 1 };
    if (request.prompts.length === 0) return this.#transport.send(encodeInfoResponse([]));
    void this.#respond(showable(request), pending.credential.respond);
  }

  async #respond(
    request: InfoRequest,
    respond: (request: InfoRequest) => readonly string[] | Promise<readonly string[]>,
  ): Promise<void> {
    this.#transport.hold();
    let next: () => void;
    try {
      const responses = await respond(request);
      if (responses.length !== request.prompts.length)
        throw new RangeError(`${responses.length} responses were given to ${request.prompts.length} prompts`);
      next = () => this.#transport.send(encodeInfoResponse(responses));
    } catch (cause) {
      this.#cause = cause;
      // A new request abandons the exchange (RFC 4256 §3.1).
      next = () => this.#next();
    }
    if (this.#over) return;
    this.#guard(next);
    this.#transport.release();
  }

  #banner(payload: Buffer): void {
    this.#banners += 1;
    if (this.#banners > maxBanners) return;
    this.#onBanner?.(printableLines(decodeBanner(payload, maxBannerBytes), maxBannerBytes));
  }

  #succeed(): void {
    if (this.#pending.kind === 'nothing')
      throw new AuthenticationError('protocol', 'the target reported a success nothing had asked for');
    this.#finish();
    this.#outcome.resolve();
  }

  #fail(error: AuthenticationError): void {
    if (this.#over) return;
    this.#finish();
    if (error.code !== 'ended')
      this.#transport.disconnect(
        error.code === 'protocol' ? DisconnectReason.protocolError : DisconnectReason.byApplication,
        'authentication failed',
      );
    this.#outcome.reject(error);
  }

  #finish(): void {
    this.#over = true;
    this.#stopListening?.();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#transport.onMessage = undefined;
    this.#untried.clear();
    this.#pending = { kind: 'nothing' };
  }
}

/**
 * RSA keys sign with the first SHA-2 the target announced (RFC 8332 §3.3). Where it announced none, rsa-sha2-256: the one
 * RFC 8332 recommends and every implementation has.
 */
function chooseAlgorithm(key: PublicKey, announced: readonly string[] | undefined): SignatureAlgorithm {
  const fitting = key.algorithms.find((algorithm) => announced?.includes(algorithm));
  const fallback = key.algorithms.includes('rsa-sha2-256') ? 'rsa-sha2-256' : key.algorithms[0];
  const chosen = fitting ?? fallback;
  if (chosen === undefined)
    throw new AuthenticationError('protocol', `a key of type ${key.type} can sign with no algorithm`);
  return chosen;
}

function asAuthenticationError(error: unknown): AuthenticationError {
  if (error instanceof AuthenticationError) return error;
  if (error instanceof WireError)
    return new AuthenticationError('protocol', `the target sent a malformed message: ${error.message}`, {
      cause: error,
    });
  return new AuthenticationError('refused', 'a credential could not be used', { cause: error });
}

function showable(request: InfoRequest): InfoRequest {
  return {
    name: printableLine(request.name, maxLineLength),
    instruction: printableLines(request.instruction, maxBannerBytes),
    prompts: request.prompts.map(({ text, echo }) => ({ text: printableLine(text, maxLineLength), echo })),
  };
}
