import type { ControlStore, Inventory, Journal, Notifier, Target } from '#core/contract';
import type { HostKey, ProfileName, RemoteSigner } from '#ssh';
import type { IdentityDirectory } from './login/identity-directory.ts';
import type { PoliciesInForce } from './policy-keeper.ts';
import type { Recorder } from './recording/index.ts';
import type { StartupLimits } from './startups.ts';
import type { InstanceReach } from './target-connection.ts';
import type { TargetCredential } from './target-credential.ts';

export type GatewaySettings = {
  readonly proxyId: string;
  readonly version: string;
  readonly listen: { readonly host: string; readonly port: number };
  /** What engineers' clients are offered. */
  readonly algorithms: ProfileName;
  readonly loginGraceMs: number;
  /** How long a second factor is good for further connections with the same key from the same address. */
  readonly mfaGraceMs: number;
  readonly maxAuthAttempts: number;
  /** Keys that may be asked about before one signs. */
  readonly maxKeyOffers: number;
  /** What a peer may send before the first key exchange is done: bytes in all, and messages without meaning. */
  readonly maxBytesBeforeKeys: number;
  readonly maxNoiseBeforeKeys: number;
  readonly maxSessions: number;
  readonly maxConnectionsPerSource: number;
  readonly maxStartsPerSourcePerMinute: number;
  /** Connections that have not authenticated. */
  readonly maxStartups: StartupLimits;
  /** Silence after which a side of a session is asked whether it is there; 0 asks nobody. */
  readonly keepalive: { readonly intervalMs: number; readonly maxUnanswered: number };
  readonly maxChannelsPerConnection: number;
  readonly maxForwards: number;
  readonly maxUnansweredRequests: number;
  readonly maxUnansweredChannelRequests: number;
  /** Output a peer leaves untaken at which its connection is cut, and for how long it may take none. */
  readonly maxBacklogBytes: number;
  readonly writeStallMs: number;
  /** Addresses and ranges of load balancers whose PROXY header says who connects; none are believed where this is empty. */
  readonly proxiedFrom: readonly string[];
  readonly rekeyBytes: number;
  readonly rekeyIntervalMs: number;
  readonly targetTimeoutMs: number;
  readonly certificateSeconds: number;
  /** Certificates begin this much earlier, for targets whose clock is behind. */
  readonly certificateBackdateSeconds: number;
  readonly banner?: string;
  /** What a session does when its recording cannot be written. */
  readonly onRecordingFailure: 'close' | 'continue';
  /** How soon after a revocation or a lock was written its sessions are cut, at most. */
  readonly revocationLatencyMs: number;
  /** For how long the control store may be unreadable until no new session is taken, and whether the running ones go on then. */
  readonly controlUnreadable: { readonly afterMs: number; readonly sessions: 'keep' | 'end' };
  readonly access: AccessSettings;
};

/** Access that somebody else has to approve. */
export type AccessSettings = {
  /** How long a login waits to be approved. */
  readonly waitMs: number;
  /** How long a request can be decided on. */
  readonly requestMs: number;
  /** How long access lasts that a login asked for. */
  readonly grantMs: number;
};

/** Everything the gateway works with; made by a composition root, never here. */
export type GatewayParts = {
  readonly settings: GatewaySettings;
  readonly identities: IdentityDirectory;
  readonly policies: PoliciesInForce;
  readonly inventory: Inventory;
  readonly journal: Journal;
  readonly control: ControlStore;
  readonly userAuthority: RemoteSigner;
  /** What logs in to a target that takes no certificates. */
  readonly targetCredential?: (target: Target) => TargetCredential | undefined;
  readonly hostKeys: readonly HostKey[];
  /** Certifies the host keys for the names of targets, where connections to them end inside a jump. */
  readonly hostAuthority?: RemoteSigner;
  /** For targets that are instances; those that need it are unreachable without. */
  readonly reach?: InstanceReach;
  readonly recorder: Recorder;
  /** Tells people of requests for access. */
  readonly notifier: Notifier;
  /** Puts asterisks in the place of secrets, for events. */
  readonly redact: (text: string) => string;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** One line for whoever runs the gateway; never a secret, never raw text of a peer. */
  readonly report: (line: string) => void;
};
