import { z } from 'zod';
import type { ControlData, ControlKind } from '#core/contract';

const text = z.string();
const timeMs = z.number().int().nonnegative();
const uint32 = z.number().int().nonnegative().max(0xffffffff);

/** Every field of the kind, so that one added to the contract is not forgotten here. */
type FieldsOf<Kind extends ControlKind> = z.ZodObject<{
  readonly [Field in keyof ControlData[Kind]]-?: z.ZodType;
}>;

const totpState = z.strictObject({
  lastStep: z.number().int(),
  failures: z.number().int().nonnegative(),
  lockedUntilMs: timeMs,
  driftSteps: z.exactOptional(z.number().int().min(-4).max(4)),
});

const schemas = {
  /** What a newer gateway adds is passed over, so that two versions may run side by side. It limits nobody; what does is read whole or not at all. */
  session: z.object({
    sessionId: text,
    identity: text,
    principalId: text,
    login: text,
    target: text,
    sourceIp: text,
    userAgent: text,
    mfa: z.boolean(),
    mfaMethod: text,
    startedAtMs: timeMs,
    proxyId: text,
    state: z.enum(['open', 'ended']),
    keyFingerprint: z.exactOptional(text),
    certificateSerial: z.exactOptional(text),
    targetFacts: z.exactOptional(
      z.strictObject({ host: text, port: z.number().int(), labels: z.record(text, text) }),
    ),
  }),
  revocation: z.strictObject({ sessionId: text, by: text, message: text, atMs: timeMs }),
  totp: totpState,
  factor: z.strictObject({
    secret: text,
    enrolledAtMs: timeMs,
    enrolledBy: text,
    salt: text,
    recoveryCodes: z.array(text).max(100),
  }),
  enrolment: z.strictObject({
    secret: text,
    begunAtMs: timeMs,
    expiresAtMs: timeMs,
    enrolledBy: text,
    salt: text,
    recoveryCodes: z.array(text).max(100),
    replace: z.boolean(),
    tried: totpState,
  }),
  proof: z.strictObject({
    identity: text,
    keyFingerprint: text,
    sourceIp: text,
    method: text,
    atMs: timeMs,
  }),
  counter: z.strictObject({ highest: uint32, seen: uint32, atMs: timeMs }),
  request: z.strictObject({
    id: text,
    identity: text,
    target: z.strictObject({ name: text, host: text, port: z.number().int(), labels: z.record(text, text) }),
    login: text,
    actions: z.array(text),
    reason: text,
    ticket: z.exactOptional(text),
    askedAtMs: timeMs,
    expiresAtMs: timeMs,
    forMs: z.number().int().positive(),
    needed: z.number().int().positive(),
    state: z.enum(['waiting', 'approved', 'rejected', 'cancelled', 'expired']),
    approvals: z.array(z.strictObject({ by: text, atMs: timeMs })),
    decided: z.exactOptional(z.strictObject({ by: text, atMs: timeMs, reason: text })),
    breakGlass: z.boolean(),
    review: z.exactOptional(
      z.strictObject({ by: text, atMs: timeMs, outcome: z.enum(['approved', 'rejected']), reason: text }),
    ),
  }),
  grant: z.strictObject({
    id: text,
    requestId: text,
    identity: text,
    target: text,
    login: text,
    actions: z.array(text),
    fromMs: timeMs,
    untilMs: timeMs,
    approvedBy: z.array(text),
    breakGlass: z.boolean(),
  }),
  finding: z.strictObject({
    runbookId: text,
    key: text,
    title: text,
    severity: z.enum(['info', 'low', 'medium', 'high', 'critical']),
    foundAtMs: timeMs,
    columns: z.record(text, text),
    state: z.enum(['open', 'acted', 'waiting-approval', 'failed']),
    handedOverMs: z.exactOptional(timeMs),
  }),
  action: z.strictObject({
    runbookId: text,
    findingKey: text,
    action: text,
    atMs: timeMs,
    outcome: z.enum(['planned', 'done', 'not-needed', 'waiting-approval', 'failed']),
    detail: text,
    attempts: z.exactOptional(z.number().int().positive()),
  }),
  writer: z.strictObject({
    stream: text,
    proxyId: text,
    task: z.exactOptional(text),
    role: z.enum(['gateway', 'function']),
    startedAtMs: timeMs,
    heardAtMs: timeMs,
    openSinceSeq: z.exactOptional(z.number().int().nonnegative()),
  }),
  delivery: z.strictObject({ sink: text, stream: text, seq: z.number().int().nonnegative(), atMs: timeMs }),
  gateway: z.strictObject({ proxyId: text, revision: z.number().int().nonnegative(), startedAtMs: timeMs }),
  run: z.strictObject({ runbookId: text, engine: z.enum(['athena', 'lake']), lastRunMs: timeMs }),
  allowance: z.strictObject({ runbookId: text, action: text, findingKey: text, atMs: timeMs }),
  check: z.strictObject({
    stream: text,
    date: text,
    firstSeq: z.number().int().positive(),
    seq: z.number().int().positive(),
    hash: text,
    atMs: timeMs,
    digest: z
      .strictObject({
        number: z.number(),
        sha256: z.string(),
        periodEndMs: z.number(),
        lastSeq: z.number(),
        headHash: z.string(),
        closing: z.boolean(),
      })
      .exactOptional(),
  }),
  lock: z.strictObject({
    lockId: text,
    selector: z.strictObject({
      identity: z.exactOptional(text),
      keyFingerprint: z.exactOptional(text),
      certificateSerial: z.exactOptional(text),
      sessionId: z.exactOptional(text),
      target: z.exactOptional(text),
      login: z.exactOptional(text),
      source: z.exactOptional(text),
      all: z.exactOptional(z.literal(true)),
    }),
    message: text,
    author: text,
    createdAtMs: timeMs,
    expiresAtMs: z.exactOptional(timeMs),
  }),
} satisfies { readonly [Kind in ControlKind]: FieldsOf<Kind> };

/** What each kind must look like when it comes back from the store; anything less, and but for sessions anything more, is refused. */
export const controlDataSchemas: { readonly [Kind in ControlKind]: z.ZodType<ControlData[Kind]> } = schemas;

/** The kinds that the control API tells, as its callers read them: a field that a newer deployment adds is passed over. */
export const toldDataSchemas: {
  readonly [Kind in 'session' | 'request' | 'grant' | 'lock']: z.ZodType<ControlData[Kind]>;
} = {
  session: schemas.session,
  request: schemas.request.strip(),
  grant: schemas.grant.strip(),
  lock: schemas.lock.strip(),
};
