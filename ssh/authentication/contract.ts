import type { Certificate } from '../certificate/contract.ts';
import type { PrivateKey, PublicKey, SecurityKeyAssertion, SignatureAlgorithm } from '../keys/contract.ts';

/** A key offered in a publickey request: parsed, but nothing is proved until its signature verified. */
export type OfferedKey =
  | { readonly kind: 'key'; readonly publicKey: PublicKey }
  | { readonly kind: 'certificate'; readonly publicKey: PublicKey; readonly certificate: Certificate };

/** A key whose holder signed this connection's session identifier (RFC 4252 §7). Made by the authentication server only. */
export type ProvenKey = {
  readonly proven: true;
  readonly offered: OfferedKey;
  readonly signatureAlgorithm: string;
  readonly assertion?: SecurityKeyAssertion;
};

/** What follows a proof. `partial` names the methods that can go on (RFC 4252 §5.1). */
export type MethodVerdict =
  | { readonly kind: 'success' }
  | { readonly kind: 'partial'; readonly continueWith: readonly ('publickey' | 'keyboard-interactive')[] }
  | { readonly kind: 'failure' }
  /** Ends the connection: DISCONNECT with the text. */
  | { readonly kind: 'disconnect'; readonly message: string };

/** RFC 4256 §3.2. */
export type InfoRequest = {
  readonly name: string;
  readonly instruction: string;
  readonly prompts: readonly { readonly text: string; readonly echo: boolean }[];
};

export type KeyboardInteractiveStep =
  | { readonly kind: 'ask'; readonly request: InfoRequest }
  | { readonly kind: 'done'; readonly verdict: MethodVerdict };

/** The decisions behind the server side of RFC 4252. All may be asynchronous; requests wait their turn meanwhile. */
export interface ServerAuthenticator {
  /** May this key be used by this user at all? Asked for the query without signature and again with it. */
  acceptsKey(user: string, key: OfferedKey): Promise<boolean>;
  /** The signature verified. */
  keyProven(user: string, key: ProvenKey): Promise<MethodVerdict>;
  /** First step of keyboard-interactive for this user: ask, or fail at once. */
  startInteractive(user: string): Promise<KeyboardInteractiveStep>;
  continueInteractive(user: string, responses: readonly string[]): Promise<KeyboardInteractiveStep>;
  /** Told of each refused attempt (wrong key, wrong code, bad signature), for events and rate limits. */
  attemptFailed(user: string, method: string, why: string): Promise<void>;
}

export type ServerAuthenticationOptions = {
  readonly authenticator: ServerAuthenticator;
  /** Methods announced to the client at the start. */
  readonly methods: readonly ('publickey' | 'keyboard-interactive')[];
  /** Signatures of keys that are taken; all that are known when absent. What `server-sig-algs` announces should be the same. */
  readonly signatureAlgorithms?: readonly SignatureAlgorithm[];
  readonly maxAttempts: number;
  /** Keys that may be offered without a signature, 20 where absent: agents hold many, a flood holds more. */
  readonly maxKeyQueries?: number;
  /** From now to USERAUTH_SUCCESS. */
  readonly graceMs: number;
  /**
   * From the first verified signature to USERAUTH_SUCCESS, in place of what is left of `graceMs`: time to type a code, to
   * wait for an approval and to dial, which a peer that proved nothing does not get.
   */
  readonly provenGraceMs?: number;
  readonly banner?: string;
};

/** The result of the server side; `accept` sends USERAUTH_SUCCESS, which is held back until the target answered. */
export type AuthenticatedUser = {
  readonly user: string;
  readonly service: 'ssh-connection';
  /** Sends USERAUTH_SUCCESS and lets messages flow to `transport.onMessage`; set that first. */
  accept(): void;
  /** One line shown before success (SSH_MSG_USERAUTH_BANNER). */
  banner(text: string): void;
};

/** How we prove ourselves to a target, tried in order. */
export type ClientCredential =
  | { readonly method: 'publickey'; readonly privateKey: PrivateKey; readonly certificate?: Buffer }
  | { readonly method: 'password'; readonly password: string }
  | {
      readonly method: 'keyboard-interactive';
      readonly respond: (request: InfoRequest) => readonly string[] | Promise<readonly string[]>;
    };

export type ClientAuthenticationOptions = {
  readonly user: string;
  readonly credentials: readonly ClientCredential[];
  readonly timeoutMs: number;
  /** SSH_MSG_USERAUTH_BANNER text of the target. */
  readonly onBanner?: (text: string) => void;
};
