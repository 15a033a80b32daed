import type { ControlItem, ControlStore, EnrolledFactor, TotpState } from '../contract/index.ts';
import { newRecoveryCodes } from './recovery-codes.ts';
import { newTotpSecret, otpauthUri } from './secret.ts';
import { attemptTotp } from './totp-limit.ts';

export type EnrolmentOptions = {
  readonly control: ControlStore;
  readonly identity: string;
  /** The operating system user, or `iam:` and a name. */
  readonly by: string;
  readonly nowMs: number;
  readonly randomBytes: (size: number) => Uint8Array;
  /** In the place of the factor that is there. */
  readonly replace: boolean;
  /** False: it counts at once, whether or not an authenticator has it. */
  readonly confirm: boolean;
  /** Puts it on record; nothing is stored or given out before it resolves. */
  readonly record: (what: {
    readonly recoveryCodes: number;
    readonly replaced: boolean;
    readonly active: boolean;
  }) => Promise<void>;
};

export type Enrolment =
  /** To be shown once. `secret` is base32, `uri` holds it. It counts once `confirmTotp` took a code of it, which is until `confirmBeforeMs`. */
  | {
      readonly kind: 'enrolled';
      readonly secret: string;
      readonly uri: string;
      readonly recoveryCodes: readonly string[];
      readonly confirmBeforeMs?: number;
    }
  | { readonly kind: 'present'; readonly sinceMs: number }
  /** Somebody else enrolled or removed one at the same time. */
  | { readonly kind: 'raced' };

export type ConfirmationOptions = Pick<EnrolmentOptions, 'control' | 'identity' | 'nowMs'> & {
  /** As it was typed. */
  readonly code: string;
  /** Puts it on record, before the factor counts. */
  readonly record: (
    outcome: { readonly replaced: boolean } | { readonly denyReason: RefusedCode },
  ) => Promise<void>;
};

type RefusedCode = 'malformed' | 'wrong' | 'reused' | 'locked';

export type Confirmation =
  | { readonly kind: 'confirmed' }
  /** Nothing waits for a code, or not any more. */
  | { readonly kind: 'nothing-waits' }
  | { readonly kind: 'refused'; readonly reason: Exclude<RefusedCode, 'locked'> }
  /** The code was not looked at. */
  | { readonly kind: 'locked'; readonly retryAfterMs: number }
  | { readonly kind: 'present'; readonly sinceMs: number }
  | { readonly kind: 'raced' };

const confirmWithinMs = 10 * 60_000;
const untried: TotpState = { lastStep: -1, failures: 0, lockedUntilMs: 0 };

/**
 * Gives an identity a second factor by codes. It waits for its first code, which shows that an authenticator has it: until then it counts
 * for nothing, and one that it is to replace goes on to count.
 */
export async function enrollTotp(options: EnrolmentOptions): Promise<Enrolment> {
  const { control, identity, randomBytes, nowMs, replace, confirm } = options;
  const [present, waiting] = await Promise.all([
    control.get('factor', identity),
    control.get('enrolment', identity),
  ]);
  if (present !== undefined && !replace) return { kind: 'present', sinceMs: present.data.enrolledAtMs };
  const secret = newTotpSecret(randomBytes);
  const recovery = newRecoveryCodes(randomBytes);
  const factor = {
    secret,
    enrolledBy: options.by,
    salt: recovery.salt,
    recoveryCodes: recovery.hashes,
  };
  await options.record({
    recoveryCodes: recovery.codes.length,
    replaced: present !== undefined,
    active: !confirm,
  });
  const uri = otpauthUri({ issuer: 'sshtrail', identity, secret });
  const shown = { kind: 'enrolled', secret, uri, recoveryCodes: recovery.codes } as const;
  if (!confirm) {
    const stored = await activate(control, identity, { ...factor, enrolledAtMs: nowMs }, present);
    return stored ? shown : { kind: 'raced' };
  }
  const expiresAtMs = nowMs + confirmWithinMs;
  const stored = await control.put(
    'enrolment',
    identity,
    { ...factor, begunAtMs: nowMs, expiresAtMs, replace, tried: untried },
    unchanged(waiting),
    expiresAtMs,
  );
  return stored === undefined ? { kind: 'raced' } : { ...shown, confirmBeforeMs: expiresAtMs };
}

/**
 * Looks at the first code of a factor that waits for it, under the same limit as at a login. The code that makes it count is used up:
 * it logs nobody in.
 */
export async function confirmTotp(options: ConfirmationOptions): Promise<Confirmation> {
  const { control, identity, code, nowMs, record } = options;
  const [present, waiting] = await Promise.all([
    control.get('factor', identity),
    control.get('enrolment', identity),
  ]);
  if (waiting === undefined || waiting.data.expiresAtMs <= nowMs) return { kind: 'nothing-waits' };
  const { tried, replace, expiresAtMs, begunAtMs: _, ...factor } = waiting.data;
  if (present !== undefined && !replace) return { kind: 'present', sinceMs: present.data.enrolledAtMs };
  const attempt = attemptTotp(tried, { secret: factor.secret, code, nowMs });
  if (attempt.kind === 'locked') {
    await record({ denyReason: 'locked' });
    return { kind: 'locked', retryAfterMs: attempt.retryAfterMs };
  }
  const seen = { ...waiting.data, tried: attempt.state };
  if ((await control.put('enrolment', identity, seen, unchanged(waiting), expiresAtMs)) === undefined)
    return { kind: 'raced' };
  if (attempt.kind === 'refused') {
    await record({ denyReason: attempt.reason });
    return { kind: 'refused', reason: attempt.reason };
  }
  await record({ replaced: present !== undefined });
  const confirmed = { ...factor, enrolledAtMs: nowMs };
  return (await activate(control, identity, confirmed, present, attempt.state))
    ? { kind: 'confirmed' }
    : { kind: 'raced' };
}

/** Takes the factor away, and what it vouched for, and one that waits for its first code. False where there is neither. */
export async function removeTotp(
  control: ControlStore,
  identity: string,
  record: () => Promise<void>,
): Promise<boolean> {
  const found = await Promise.all([control.get('factor', identity), control.get('enrolment', identity)]);
  if (found.every((each) => each === undefined)) return false;
  await record();
  await control.delete('enrolment', identity);
  await control.delete('factor', identity);
  await control.delete('totp', identity);
  await forgetProofs(control, identity);
  return true;
}

/**
 * From here on it counts, and what an older one had counted or vouched for is gone. `counted` is kept before it counts, so that
 * its code cannot be used a second time in between. False where somebody else changed the factor meanwhile.
 */
async function activate(
  control: ControlStore,
  identity: string,
  factor: EnrolledFactor,
  present: ControlItem<'factor'> | undefined,
  counted?: TotpState,
): Promise<boolean> {
  const wasWaiting = await control.delete('enrolment', identity);
  if (counted !== undefined) {
    if (!wasWaiting) return false;
    await control.put('totp', identity, counted, { kind: 'any' });
  }
  if ((await control.put('factor', identity, factor, unchanged(present))) === undefined) return false;
  if (counted === undefined) await control.delete('totp', identity);
  await forgetProofs(control, identity);
  return true;
}

async function forgetProofs(control: ControlStore, identity: string): Promise<void> {
  for (const { id, data } of await control.list('proof'))
    if (data.identity === identity) await control.delete('proof', id);
}

function unchanged(item: ControlItem<'factor' | 'enrolment'> | undefined) {
  return item === undefined
    ? ({ kind: 'absent' } as const)
    : ({ kind: 'version', version: item.version } as const);
}
