import type { Transport } from '../transport/contract.ts';
import { whenEnded } from '../transport/index.ts';
import { DisconnectReason, MessageNumber, WireError } from '../wire/index.ts';
import { AuthenticationError, type AuthenticationErrorCode } from './authentication-error.ts';
import type {
  AuthenticatedUser,
  InfoRequest,
  KeyboardInteractiveStep,
  MethodVerdict,
  ServerAuthenticationOptions,
} from './contract.ts';
import { readKeyOffer } from './offered-key.ts';
import { printableLine, printableLines } from './printable-text.ts';
import {
  authenticationService,
  connectionService,
  decodeInfoResponse,
  decodeService,
  decodeUserauthRequest,
  encodeBanner,
  encodeFailure,
  encodeInfoRequest,
  encodePublicKeyOk,
  encodeService,
  type MethodBody,
  signedBytes,
  type UserauthRequest,
} from './userauth-message.ts';

const defaultKeyQueries = 20;
const maxPrompts = 8;
/** Info requests with prompts within one keyboard-interactive exchange; those without, which say something, end with the grace time. */
const maxInteractiveRounds = 16;
const maxBannerLength = 4096;
const maxLineLength = 512;

/**
 * The server side of RFC 4252 and RFC 4256 on a transport that may still be in its first key exchange. Resolves once an
 * authenticator said success; the client is told by `accept`, and until then nothing it sends is parsed.
 *
 * @throws AuthenticationError when the peer failed or left; the transport has been ended by then.
 */
export function authenticateUser(
  transport: Transport,
  options: ServerAuthenticationOptions,
): Promise<AuthenticatedUser> {
  return new Promise((resolve, reject) => {
    new ServerAuthentication(transport, options, { resolve, reject }).start();
  });
}

type Outcome = {
  readonly resolve: (user: AuthenticatedUser) => void;
  readonly reject: (error: AuthenticationError) => void;
};

class ServerAuthentication {
  readonly #transport: Transport;
  readonly #options: ServerAuthenticationOptions;
  readonly #outcome: Outcome;
  #state: 'service' | 'requests' | 'proven' | 'over' = 'service';
  #timer: NodeJS.Timeout | undefined;
  #stopListening: (() => void) | undefined;
  #graceExtended = false;
  #user: string | undefined;
  #methods: readonly string[];
  #noneSeen = false;
  #failures = 0;
  #queries = 0;
  #partials = 0;
  /** The info request that waits for its response. */
  #exchange: { readonly prompts: number; readonly rounds: number } | undefined;

  constructor(transport: Transport, options: ServerAuthenticationOptions, outcome: Outcome) {
    this.#transport = transport;
    this.#options = options;
    this.#outcome = outcome;
    this.#methods = options.methods;
  }

  start(): void {
    this.#arm(this.#options.graceMs);
    this.#transport.onMessage = (plain, payloadLength) => this.#receive(plain.subarray(1, 1 + payloadLength));
    this.#stopListening = whenEnded(this.#transport, (end) =>
      this.#end(
        new AuthenticationError(
          'ended',
          `the connection ended before authentication did: ${end.description}`,
          end.error === undefined ? {} : { cause: end.error },
        ),
      ),
    );
  }

  /** One message at a time: the transport stays held, and so unparsed, while a decision is pending. */
  #receive(payload: Buffer): void {
    this.#transport.hold();
    void this.#decide(payload);
  }

  async #decide(payload: Buffer): Promise<void> {
    try {
      await this.#handle(payload);
    } catch (error) {
      this.#end(asAuthenticationError(error));
    }
    if (this.#state === 'service' || this.#state === 'requests') this.#transport.release();
  }

  async #handle(payload: Buffer): Promise<void> {
    const number = payload[0];
    if (this.#state === 'service') {
      if (number !== MessageNumber.serviceRequest)
        throw new AuthenticationError('protocol', `message ${number} came before a service request`);
      return this.#service(payload);
    }
    switch (number) {
      case MessageNumber.userauthRequest:
        return this.#request(decodeUserauthRequest(payload));
      case MessageNumber.userauthInfoResponse:
        return this.#infoResponse(payload);
      default:
        throw new AuthenticationError('protocol', `message ${number} is not allowed during authentication`);
    }
  }

  #service(payload: Buffer): void {
    if (decodeService(payload) !== authenticationService)
      throw new AuthenticationError('protocol', 'only the service ssh-userauth can be requested first');
    this.#state = 'requests';
    this.#transport.send(encodeService(MessageNumber.serviceAccept, authenticationService));
  }

  async #request(request: UserauthRequest): Promise<void> {
    if (request.service !== connectionService)
      throw this.#user === undefined
        ? new AuthenticationError('protocol', 'only the service ssh-connection is available')
        : changed();
    if (this.#user === undefined) {
      this.#user = request.user;
      if (this.#options.banner !== undefined) this.#banner(this.#options.banner);
    } else if (this.#user !== request.user) throw changed();
    if (this.#exchange !== undefined) {
      // RFC 4256 §3.1: a new request abandons the exchange. It counts, or prompts could be asked for without end.
      this.#exchange = undefined;
      await this.#countFailure(request.user, 'keyboard-interactive', 'exchange abandoned');
      if (this.#state !== 'requests') return;
    }
    const { body } = request;
    if (body.kind === 'none' && !this.#noneSeen) {
      this.#noneSeen = true;
      this.#transport.send(encodeFailure(this.#methods, false));
    } else if (body.kind === 'publickey' && this.#methods.includes('publickey'))
      await this.#publickey(request.user, body);
    else if (body.kind === 'keyboard-interactive' && this.#methods.includes('keyboard-interactive'))
      await this.#interactive(
        request.user,
        () => this.#options.authenticator.startInteractive(request.user),
        1,
      );
    else await this.#refuse(request.user, request.method, 'method not offered');
  }

  async #publickey(user: string, body: MethodBody & { readonly kind: 'publickey' }): Promise<void> {
    const { authenticator, signatureAlgorithms } = this.#options;
    const { algorithm, blob, signed } = body;
    if (signed === undefined) this.#countQuery();
    const offer = readKeyOffer(algorithm, blob, signatureAlgorithms);
    const why = !offer.readable
      ? offer.why
      : (await authenticator.acceptsKey(user, offer.offered))
        ? undefined
        : 'key not accepted';
    if (this.#state !== 'requests') return;
    if (signed === undefined) {
      if (why === undefined) this.#transport.send(encodePublicKeyOk(algorithm, blob));
      else {
        await authenticator.attemptFailed(user, 'publickey', why);
        if (this.#state === 'requests') this.#transport.send(encodeFailure(this.#methods, false));
      }
      return;
    }
    if (why !== undefined || !offer.readable)
      return this.#refuse(user, 'publickey', why ?? 'key not accepted');
    const verification = offer.offered.publicKey.verify(
      signedBytes(this.#transport.sessionId, signed.request),
      signed.signature,
      [offer.algorithm],
    );
    if (!verification.valid) return this.#refuse(user, 'publickey', 'bad signature');
    this.#extendGrace();
    const verdict = await authenticator.keyProven(user, {
      proven: true,
      offered: offer.offered,
      signatureAlgorithm: offer.algorithm,
      ...(verification.assertion === undefined ? {} : { assertion: verification.assertion }),
    });
    await this.#conclude(user, 'publickey', verdict);
  }

  async #interactive(
    user: string,
    next: () => Promise<KeyboardInteractiveStep>,
    round: number,
  ): Promise<void> {
    const step = await next();
    if (this.#state !== 'requests') return;
    if (step.kind === 'done') return this.#conclude(user, 'keyboard-interactive', step.verdict);
    const asks = step.request.prompts.length > 0;
    if (asks && round > maxInteractiveRounds)
      throw new AuthenticationError('too-many-attempts', 'too many rounds of questions');
    this.#transport.send(encodeInfoRequest(showable(step.request)));
    this.#exchange = { prompts: step.request.prompts.length, rounds: asks ? round : round - 1 };
  }

  async #infoResponse(payload: Buffer): Promise<void> {
    const exchange = this.#exchange;
    const user = this.#user;
    if (exchange === undefined || user === undefined)
      throw new AuthenticationError('protocol', 'a response came that nothing had asked for');
    this.#exchange = undefined;
    const responses = decodeInfoResponse(payload, exchange.prompts);
    if (responses === undefined)
      return this.#refuse(user, 'keyboard-interactive', 'responses do not fit the prompts');
    await this.#interactive(
      user,
      () => this.#options.authenticator.continueInteractive(user, responses),
      exchange.rounds + 1,
    );
  }

  async #conclude(user: string, method: string, verdict: MethodVerdict): Promise<void> {
    if (this.#state !== 'requests') return;
    switch (verdict.kind) {
      case 'success':
        return this.#succeed(user);
      case 'partial':
        this.#partials += 1;
        if (this.#partials >= this.#options.maxAttempts || verdict.continueWith.length === 0)
          throw new AuthenticationError('too-many-attempts', 'no method is left to go on with');
        this.#methods = verdict.continueWith;
        this.#transport.send(encodeFailure(this.#methods, true));
        return;
      case 'failure':
        return this.#refuse(user, method, method === 'publickey' ? 'key not accepted' : 'wrong response');
      case 'disconnect':
        throw new AuthenticationError('refused', verdict.message);
    }
  }

  #succeed(user: string): void {
    this.#state = 'proven';
    this.#transport.onMessage = undefined;
    this.#outcome.resolve({
      user,
      service: connectionService,
      accept: () => this.#accept(),
      banner: (text) => {
        if (this.#state === 'proven') this.#banner(text);
      },
    });
  }

  /** Nothing happens where the connection ended or the grace time ran out meanwhile. */
  #accept(): void {
    if (this.#state !== 'proven') return;
    this.#state = 'over';
    this.#stopListening?.();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#transport.send(Buffer.of(MessageNumber.userauthSuccess));
    this.#transport.release();
  }

  #countQuery(): void {
    this.#queries += 1;
    if (this.#queries > (this.#options.maxKeyQueries ?? defaultKeyQueries))
      throw new AuthenticationError('too-many-attempts', 'too many keys were offered');
  }

  async #refuse(user: string, method: string, why: string): Promise<void> {
    await this.#countFailure(user, method, why);
    if (this.#state === 'requests') this.#transport.send(encodeFailure(this.#methods, false));
  }

  async #countFailure(user: string, method: string, why: string): Promise<void> {
    this.#failures += 1;
    await this.#options.authenticator.attemptFailed(user, method, why);
    if (this.#failures >= this.#options.maxAttempts)
      throw new AuthenticationError('too-many-attempts', 'too many failed attempts');
  }

  #banner(text: string): void {
    this.#transport.send(encodeBanner(printableLines(text, maxBannerLength)));
  }

  #extendGrace(): void {
    if (this.#graceExtended || this.#options.provenGraceMs === undefined) return;
    this.#graceExtended = true;
    this.#arm(this.#options.provenGraceMs);
  }

  #arm(graceMs: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => this.#end(new AuthenticationError('timeout', 'the time to log in ran out')),
      graceMs,
    );
  }

  #end(error: AuthenticationError): void {
    if (this.#state === 'over') return;
    this.#state = 'over';
    clearTimeout(this.#timer);
    this.#exchange = undefined;
    // Held for good: whatever the peer still sends is not worth parsing.
    this.#transport.onMessage = undefined;
    if (error.code !== 'ended')
      this.#transport.disconnect(disconnectReasons[error.code], printableLine(error.message, maxLineLength));
    this.#outcome.reject(error);
  }
}

const disconnectReasons: Readonly<Record<AuthenticationErrorCode, number>> = {
  timeout: DisconnectReason.byApplication,
  'too-many-attempts': DisconnectReason.noMoreAuthMethodsAvailable,
  'user-changed': DisconnectReason.protocolError,
  protocol: DisconnectReason.protocolError,
  refused: DisconnectReason.byApplication,
  ended: DisconnectReason.connectionLost,
};

function changed(): AuthenticationError {
  return new AuthenticationError('user-changed', 'the user name or service changed between requests');
}

/** What an authenticator threw stays in `cause`: its text is not for the peer. */
function asAuthenticationError(error: unknown): AuthenticationError {
  if (error instanceof AuthenticationError) return error;
  if (error instanceof WireError)
    return new AuthenticationError('protocol', `a malformed message came: ${error.message}`, {
      cause: error,
    });
  return new AuthenticationError('refused', 'the login could not be decided, try again later', {
    cause: error,
  });
}

/** @throws RangeError for more prompts than a client has to expect: a fault of the authenticator. */
function showable(request: InfoRequest): InfoRequest {
  if (request.prompts.length > maxPrompts)
    throw new RangeError(
      `an info request has ${request.prompts.length} prompts, at most ${maxPrompts} are sent`,
    );
  return {
    name: printableLine(request.name, maxLineLength),
    instruction: printableLines(request.instruction, maxBannerLength),
    prompts: request.prompts.map(({ text, echo }) => ({ text: printableLine(text, maxLineLength), echo })),
  };
}
