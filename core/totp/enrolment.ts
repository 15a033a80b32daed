import type { ControlStore } from '../contract/index.ts';
import { newRecoveryCodes } from './recovery-codes.ts';
import { newTotpSecret, otpauthUri } from './secret.ts';

export type EnrolmentOptions = {
  readonly control: ControlStore;
  readonly identity: string;
  /** The operating system user, or `iam:` and a name. */
  readonly by: string;
  readonly nowMs: number;
  readonly randomBytes: (size: number) => Uint8Array;
  /** Makes the factor that is there good for nothing. */
  readonly replace: boolean;
  /** Puts it on record; nothing is stored or given out before it resolves. */
  readonly record: (what: { readonly recoveryCodes: number; readonly replaced: boolean }) => Promise<void>;
};

export type Enrolment =
  /** To be shown once. `secret` is base32, `uri` holds it. */
  | {
      readonly kind: 'enrolled';
      readonly secret: string;
      readonly uri: string;
      readonly recoveryCodes: readonly string[];
    }
  | { readonly kind: 'present'; readonly sinceMs: number }
  /** Somebody else enrolled or removed one at the same time. */
  | { readonly kind: 'raced' };

/** Gives an identity a second factor by codes. What an older one had counted or vouched for is gone. */
export async function enrollTotp(options: EnrolmentOptions): Promise<Enrolment> {
  const { control, identity, randomBytes, nowMs } = options;
  const present = await control.get('factor', identity);
  if (present !== undefined && !options.replace)
    return { kind: 'present', sinceMs: present.data.enrolledAtMs };
  const secret = newTotpSecret(randomBytes);
  const recovery = newRecoveryCodes(randomBytes);
  await options.record({ recoveryCodes: recovery.codes.length, replaced: present !== undefined });
  const stored = await control.put(
    'factor',
    identity,
    {
      secret,
      enrolledAtMs: nowMs,
      enrolledBy: options.by,
      salt: recovery.salt,
      recoveryCodes: recovery.hashes,
    },
    present === undefined ? { kind: 'absent' } : { kind: 'version', version: present.version },
  );
  if (stored === undefined) return { kind: 'raced' };
  await forgetCodes(control, identity);
  const uri = otpauthUri({ issuer: 'sshtrail', identity, secret });
  return { kind: 'enrolled', secret, uri, recoveryCodes: recovery.codes };
}

/** Takes the enrolled factor away, and what it vouched for. False where there is none. */
export async function removeTotp(
  control: ControlStore,
  identity: string,
  record: () => Promise<void>,
): Promise<boolean> {
  if ((await control.get('factor', identity)) === undefined) return false;
  await record();
  await control.delete('factor', identity);
  await forgetCodes(control, identity);
  return true;
}

/** Codes that were counted belong to a secret that is gone, and so do the logins that it vouches for. */
async function forgetCodes(control: ControlStore, identity: string): Promise<void> {
  await control.delete('totp', identity);
  for (const { id, data } of await control.list('proof'))
    if (data.identity === identity) await control.delete('proof', id);
}
