const maxPasswordBytes = 1024;

/** The password in a text: one line, whose line end is no part of it. Undefined where it is none that a person could have typed. */
export function passwordIn(text: string): string | undefined {
  const password = text.replace(/\r?\n$/, '');
  const bytes = Buffer.byteLength(password);
  return bytes === 0 || bytes > maxPasswordBytes || /\p{Cc}/u.test(password) ? undefined : password;
}
