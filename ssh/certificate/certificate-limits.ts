/** OpenSSH's own bound (SSHKEY_CERT_MAX_PRINCIPALS). */
export const MAX_PRINCIPALS = 256;
/** Critical options and extensions, each. */
export const MAX_OPTIONS = 64;
export const MAX_CERTIFICATE_BYTES = 64 * 1024;
export const MAX_NONCE_BYTES = 256;
export const MAX_KEY_ID_BYTES = 4096;
export const MAX_PRINCIPAL_BYTES = 1024;
export const MAX_OPTION_NAME_BYTES = 256;
/** The type field (OpenSSH PROTOCOL.certkeys). */
export const kindNumbers = { user: 1, host: 2 } as const;
