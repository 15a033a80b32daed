import type { FakeCaller } from '../fakes/aws/api-gateway.ts';

export const accountNumber = '123456789012';

/** Whom IAM knows, by their key and the role they took. */
export const people = {
  alice: { ...caller('Engineer', 'alice'), mfa: true },
  bob: { ...caller('Engineer', 'bob'), mfa: false },
  dave: { ...caller('Engineer', 'dave'), mfa: true },
  carol: { ...caller('Lead', 'carol'), mfa: true },
} as const;
export type Person = keyof typeof people;

function caller(role: 'Engineer' | 'Lead', name: string): FakeCaller & { readonly sessionToken: string } {
  return {
    accessKeyId: `ASIA${name.toUpperCase()}`,
    secretAccessKey: `${name}-secret`,
    sessionToken: `${name}/token+==`,
    arn: `arn:aws:sts::${accountNumber}:assumed-role/${role}/${name}`,
    principalId: `AROAEXAMPLE:${name}`,
  };
}
