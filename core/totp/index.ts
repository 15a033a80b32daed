export { type Confirmation, confirmTotp, type Enrolment, enrollTotp, removeTotp } from './enrolment.ts';
export { newRecoveryCodes, readRecoveryCode, withoutRecoveryCode } from './recovery-codes.ts';
export { newTotpSecret, otpauthUri, totpCode, totpSecretProblem } from './secret.ts';
export { TotpError } from './totp-error.ts';
export { afterWrongCode, attemptTotp, totpLockedForMs } from './totp-limit.ts';
export { verifyTotp } from './verify-totp.ts';
