/** What both forms say of a code that was to confirm a second factor. */
export function refusedCode(reason: string): string {
  switch (reason) {
    case 'malformed':
      return 'a code is six digits, as the app shows them; a recovery code confirms nothing. Try again';
    case 'reused':
      return 'that code was used; wait for the next one';
    default:
      return 'that is not the code: see that the app has this very secret and that the clock of the phone is right, and try the next one';
  }
}

export function tooManyCodes(name: string, retryAfterMs: number): string {
  return `too many wrong codes for ${name}; in ${Math.ceil(retryAfterMs / 1000)} seconds: sshtrail totp enroll ${name} --code CODE, or begin again without --code`;
}

export function nothingWaits(name: string): string {
  return `nothing of ${name} waits for a code, or it has waited too long; begin again: sshtrail totp enroll ${name}`;
}

export function changedMeanwhile(name: string): string {
  return `somebody else changed the factor of ${name} at the same time; see "sshtrail totp status"`;
}
