/** The second factor that was proved when an engineer asked for a certificate. */
export type IssuedProof = { readonly method: 'totp' | 'recovery-code'; readonly atMs: number };

/** Extensions by which a certificate of the engineers' own authority says so. Names under a domain are ignored by OpenSSH (PROTOCOL.certkeys). */
export function issuedProofExtensions(proof: IssuedProof | undefined): ReadonlyMap<string, string> {
  if (proof === undefined) return new Map();
  return new Map([
    ['mfa-method@sshtrail', proof.method],
    ['proved-at@sshtrail', String(proof.atMs)],
  ]);
}

/** Not ok where the certificate says half of it, or what no certificate of ours says. Only to be believed of our own authority. */
export function parseIssuedProof(
  extensions: ReadonlyMap<string, string>,
): { readonly ok: true; readonly proof?: IssuedProof } | { readonly ok: false } {
  const method = extensions.get('mfa-method@sshtrail');
  const provedAt = extensions.get('proved-at@sshtrail');
  if (method === undefined && provedAt === undefined) return { ok: true };
  if ((method !== 'totp' && method !== 'recovery-code') || provedAt === undefined) return { ok: false };
  if (!/^[0-9]{1,15}$/.test(provedAt)) return { ok: false };
  return { ok: true, proof: { method, atMs: Number(provedAt) } };
}
