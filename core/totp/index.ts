export { newTotpSecret, otpauthUri, totpCode, totpSecretProblem } from './secret.ts';
export { TotpError } from './totp-error.ts';
export type { TotpAttempt } from './totp-limit.ts';
export { attemptTotp, totpLockedForMs } from './totp-limit.ts';
export type { TotpCheck, TotpVerdict } from './verify-totp.ts';
export { verifyTotp } from './verify-totp.ts';
