export { newTotpSecret, otpauthUri, totpCode, totpSecretProblem } from './secret.ts';
export { TotpError } from './totp-error.ts';
export { attemptTotp, totpLockedForMs } from './totp-limit.ts';
export { verifyTotp } from './verify-totp.ts';
