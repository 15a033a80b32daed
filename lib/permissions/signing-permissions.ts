import type { Permission, Resources } from './permission.ts';

export function signs(
  on: Resources,
  sid: string,
  reason: string,
  { authority }: { readonly authority: string },
): Permission {
  return {
    sid,
    reason,
    actions: ['kms:Sign'],
    resources: [authority],
    conditions: { StringEquals: { 'kms:SigningAlgorithm': on.signingAlgorithm } },
  };
}

export function signsDigests(on: Resources): readonly Permission[] {
  return [
    {
      sid: 'SignDigests',
      reason:
        'signs what it has verified; whoever writes the evidence may not, and this signs no certificates',
      actions: ['kms:Sign'],
      resources: [on.evidenceKey],
      conditions: { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } },
    },
    {
      sid: 'KnowEvidenceKey',
      reason: 'the public key by which it verifies what it has signed',
      actions: ['kms:GetPublicKey'],
      resources: [on.evidenceKey],
    },
  ];
}
