/** Certificate key types (OpenSSH PROTOCOL.certkeys, PROTOCOL.u2f) and the plain types inside. */
const keyTypes: ReadonlyMap<string, string> = new Map([
  ['ssh-ed25519-cert-v01@openssh.com', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256-cert-v01@openssh.com', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384-cert-v01@openssh.com', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521-cert-v01@openssh.com', 'ecdsa-sha2-nistp521'],
  ['ssh-rsa-cert-v01@openssh.com', 'ssh-rsa'],
  ['sk-ssh-ed25519-cert-v01@openssh.com', 'sk-ssh-ed25519@openssh.com'],
  ['sk-ecdsa-sha2-nistp256-cert-v01@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'],
]);

/** Names that only negotiate: an RSA certificate keeps one key type whatever hash is signed with (OpenSSH PROTOCOL.certkeys). */
const algorithmNames: ReadonlyMap<string, string> = new Map([
  ['rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-512'],
  ['rsa-sha2-256-cert-v01@openssh.com', 'rsa-sha2-256'],
]);

/** Is this a certificate key type, or a certificate algorithm name as negotiated? */
export function isCertificateType(name: string): boolean {
  return keyTypes.has(name) || algorithmNames.has(name);
}

/** The name without its certificate part: a key type for a key type, a signature algorithm for an algorithm name. Other names come back as they are. */
export function plainTypeOf(certType: string): string {
  return keyTypes.get(certType) ?? algorithmNames.get(certType) ?? certType;
}

/** The plain type inside a certificate blob of this type; `undefined` for names that never head a blob. */
export function certifiedTypeOf(blobType: string): string | undefined {
  return keyTypes.get(blobType);
}

/** The certificate type for a plain key type; `undefined` where there is none. */
export function certificateTypeFor(plainType: string): string | undefined {
  for (const [certificateType, plain] of keyTypes) if (plain === plainType) return certificateType;
  return undefined;
}
