/** What the control store holds, by kind. */
export type ControlData = {
  session: LiveSession;
  revocation: Revocation;
  totp: TotpState;
  factor: EnrolledFactor;
  enrolment: FactorEnrolment;
  proof: MfaProof;
  counter: SecurityKeyCounter;
  request: AccessRequest;
  grant: AccessGrant;
  finding: Finding;
  action: ActionTaken;
  writer: AuditWriter;
  delivery: SinkDelivery;
  gateway: GatewayPresence;
  run: RunbookProgress;
  allowance: ActionAllowance;
  check: ChainCheck;
  lock: Lock;
};
export type ControlKind = keyof ControlData;

/** A session that is open, or was when its gateway was last heard of. The id is the session id. */
export type LiveSession = {
  readonly sessionId: string;
  readonly identity: string;
  readonly principalId: string;
  readonly login: string;
  readonly target: string;
  readonly sourceIp: string;
  readonly userAgent: string;
  readonly mfa: boolean;
  readonly mfaMethod: string;
  readonly startedAtMs: number;
  readonly proxyId: string;
  readonly state: 'open' | 'ended';
  readonly keyFingerprint?: string;
  /** Of the certificate that identified, where one did; decimal. */
  readonly certificateSerial?: string;
  /** What policy knows of the target, as it was at the login: it may be gone from the configuration by now. */
  readonly targetFacts?: {
    readonly host: string;
    readonly port: number;
    readonly labels: Readonly<Record<string, string>>;
  };
};

/** A wish to end one session. The id is the session id. */
export type Revocation = {
  readonly sessionId: string;
  /** `runbook/SSH-002`, or the operating system user who said `sshtrail kill`. */
  readonly by: string;
  /** Shown to the engineer. */
  readonly message: string;
  readonly atMs: number;
};

/** The id is the identity's name. */
export type TotpState = {
  /** The last 30 s step for which a code was accepted; codes of it and of earlier ones are refused. */
  readonly lastStep: number;
  readonly failures: number;
  /** No code is looked at before this time. */
  readonly lockedUntilMs: number;
  /** Steps by which the authenticator's clock was ahead when the last code was accepted, -4 to 4; 0 when absent. */
  readonly driftSteps?: number;
};

/** A second factor that `sshtrail totp enroll` made. The id is the identity's name. */
export type EnrolledFactor = {
  /** Base32. Whoever reads it can make codes: the store is as secret as a key. */
  readonly secret: string;
  readonly enrolledAtMs: number;
  /** The operating system user who enrolled it, or `iam:` and a name. */
  readonly enrolledBy: string;
  /** Hex; goes into the hash of each recovery code. */
  readonly salt: string;
  /** SHA-256 of salt and code in hex, of those that were not used yet. */
  readonly recoveryCodes: readonly string[];
};

/**
 * A second factor that was shown and counts for nothing until one of its codes has come back. The id is the identity's name; the item
 * expires with it.
 */
export type FactorEnrolment = Omit<EnrolledFactor, 'enrolledAtMs'> & {
  readonly begunAtMs: number;
  /** No code confirms it from then on. */
  readonly expiresAtMs: number;
  /** Whether it may take the place of the one that counts until then. */
  readonly replace: boolean;
  /** Of the codes that were tried. */
  readonly tried: TotpState;
};

/** A second factor that was proved a while ago. The id is identity, key fingerprint and source address, with blanks between. */
export type MfaProof = {
  readonly identity: string;
  readonly keyFingerprint: string;
  readonly sourceIp: string;
  readonly method: string;
  readonly atMs: number;
};

/** What a security key's signatures counted. The id is the key's fingerprint. */
export type SecurityKeyCounter = {
  /** The highest number seen; 0 for a key that never counted. */
  readonly highest: number;
  /** Of the 32 numbers below it, those that were seen: bit 0 is `highest - 1`. */
  readonly seen: number;
  /** When it last changed. */
  readonly atMs: number;
};

/** A wish for access that needs approval. The id is its `id`. */
export type AccessRequest = {
  /** `r-` and 32 lower-case hex digits. */
  readonly id: string;
  readonly identity: string;
  /** As the inventory had it when access was asked for: approvers are judged by these labels. */
  readonly target: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly login: string;
  /** Names of policy actions, or `*` alone: whatever policy allows once it is approved. */
  readonly actions: readonly string[];
  /** In the engineer's words. */
  readonly reason: string;
  /** Of whatever system keeps them. */
  readonly ticket?: string;
  readonly askedAtMs: number;
  /** Nobody decides from then on. */
  readonly expiresAtMs: number;
  /** How long the grant is good for, from the last approval on. */
  readonly forMs: number;
  /** Approvals by so many different people make a grant. */
  readonly needed: number;
  readonly state: 'waiting' | 'approved' | 'rejected' | 'cancelled' | 'expired';
  /** Each by somebody else; in order. */
  readonly approvals: readonly { readonly by: string; readonly atMs: number }[];
  /** Who made the state what it is, where that was not an approval, and why. */
  readonly decided?: { readonly by: string; readonly atMs: number; readonly reason: string };
  /** Access was taken without approval; `review` is what somebody else said of it afterwards. */
  readonly breakGlass: boolean;
  readonly review?: {
    readonly by: string;
    readonly atMs: number;
    readonly outcome: 'approved' | 'rejected';
    readonly reason: string;
  };
};

/** Access for a time. The id is its `id`. */
export type AccessGrant = {
  /** `g-` and the 32 digits of its request's id. */
  readonly id: string;
  readonly requestId: string;
  readonly identity: string;
  /** Name of the target. */
  readonly target: string;
  readonly login: string;
  /** As in the request. */
  readonly actions: readonly string[];
  readonly fromMs: number;
  /** From then on it is none. */
  readonly untilMs: number;
  readonly approvedBy: readonly string[];
  readonly breakGlass: boolean;
};

/** A row a runbook's query returned. The id is `<runbook>:<key>`. */
export type Finding = {
  readonly runbookId: string;
  readonly key: string;
  readonly title: string;
  readonly severity: 'info' | 'low' | 'medium' | 'high' | 'critical';
  readonly foundAtMs: number;
  /** The row's columns as text. */
  readonly columns: Readonly<Record<string, string>>;
  /** Planned and taken steps, in order. */
  readonly state: 'open' | 'acted' | 'waiting-approval' | 'failed';
  /** When it was last handed over to whoever takes its steps, where the one that found it does not. */
  readonly handedOverMs?: number;
};

/** One step a runbook took. The id is `<runbook>:<key>:<index of the step>`. */
export type ActionTaken = {
  readonly runbookId: string;
  readonly findingKey: string;
  readonly action: string;
  readonly atMs: number;
  readonly outcome: 'planned' | 'done' | 'not-needed' | 'waiting-approval' | 'failed';
  readonly detail: string;
  /** How often it was begun; 1 when absent. */
  readonly attempts?: number;
};

/** Who appends to an audit stream and is not yet done with it. The id is the stream's name. Gone once the stream is sealed whole. */
export type AuditWriter = {
  readonly stream: string;
  readonly proxyId: string;
  /** ARN of the Fargate task, where there is one. */
  readonly task?: string;
  readonly role: 'gateway' | 'function';
  readonly startedAtMs: number;
  /** When it last said that it lives. */
  readonly heardAtMs: number;
  /** No session that began before the record of this number is open: how far back a search for lost sessions goes. */
  readonly openSinceSeq?: number;
};

/** How far a sink has got with a stream. The id is `<sink>:<stream>`. */
export type SinkDelivery = {
  readonly sink: string;
  readonly stream: string;
  /** chainSeq of the last record it has. */
  readonly seq: number;
  readonly atMs: number;
};

/** A gateway task that is up; the id is its proxy id. Expires soon unless renewed. */
export type GatewayPresence = {
  readonly proxyId: string;
  /** Of what it runs: the task definition's. */
  readonly revision: number;
  readonly startedAtMs: number;
};

/** How far the runs of a runbook have looked. The id is `<runbook>:<engine>:<what started it>`. */
export type RunbookProgress = {
  readonly runbookId: string;
  readonly engine: 'athena' | 'lake';
  /** End of the last window that was looked at whole. */
  readonly lastRunMs: number;
};

/**
 * One of the places that a step's limit has. The id is `<runbook>:<action>:<hour, or the run>:<number of the place>`; it
 * expires when the place is free again.
 */
export type ActionAllowance = {
  readonly runbookId: string;
  readonly action: string;
  /** Who has it. */
  readonly findingKey: string;
  readonly atMs: number;
};

/** How far the chain of a stream in the lake was verified. The id is the stream's name. */
export type ChainCheck = {
  readonly stream: string;
  /** Day and first number of the last segment that was verified. */
  readonly date: string;
  readonly firstSeq: number;
  /** Of its last record. */
  readonly seq: number;
  readonly hash: string;
  readonly atMs: number;
  /** The stream's newest digest, once there is one. */
  readonly digest?: {
    readonly number: number;
    readonly sha256: string;
    readonly periodEndMs: number;
    readonly lastSeq: number;
    readonly headHash: string;
    readonly closing: boolean;
  };
};

/** Whom a lock is about: everybody whom all the given fields fit. At least one is given; `all` stands alone. */
export type LockSelector = {
  readonly identity?: string;
  /** `SHA256:` and base64; of a certificate, its key's. */
  readonly keyFingerprint?: string;
  /** Decimal. Serials are unique within one authority at most. */
  readonly certificateSerial?: string;
  readonly sessionId?: string;
  readonly target?: string;
  /** The Unix account on the target. */
  readonly login?: string;
  /** An address, or a range such as 192.0.2.0/24. */
  readonly source?: string;
  readonly all?: true;
};

/** Ends and refuses sessions while it is there. The id is `l-` and 32 hex digits; the item expires with the lock. */
export type Lock = {
  readonly lockId: string;
  readonly selector: LockSelector;
  /** Shown to the engineer. */
  readonly message: string;
  /** `runbook/SSH-005`, `iam:NAME`, or the operating system user who said `sshtrail lock`. */
  readonly author: string;
  readonly createdAtMs: number;
  /** Absent: until somebody removes it. */
  readonly expiresAtMs?: number;
};
