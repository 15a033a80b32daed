/** What the engineer typed before the gateway's name: `ssh LOGIN@TARGET@gateway` (OpenSSH splits at the last @). */
export type LoginName =
  | { readonly kind: 'login-at-target'; readonly login: string; readonly target: string }
  | { readonly kind: 'malformed'; readonly message: string };

/** Unix account names as useradd and directories allow them, and target names as the inventory does. */
const loginPattern = /^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,63}$/;
const targetPattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;

/** Splits at the last @. A login holds no @ itself. */
export function parseLoginName(user: string): LoginName {
  const at = user.lastIndexOf('@');
  if (at < 0) return malformed('say which server you want: ssh LOGIN@TARGET@GATEWAY');
  const login = user.slice(0, at);
  const target = user.slice(at + 1).toLowerCase();
  if (!loginPattern.test(login))
    return malformed('the login before the target is not an account name: ssh LOGIN@TARGET@GATEWAY');
  if (!targetPattern.test(target))
    return malformed('the target is not a name the inventory can hold: ssh LOGIN@TARGET@GATEWAY');
  return { kind: 'login-at-target', login, target };
}

function malformed(message: string): LoginName {
  return { kind: 'malformed', message };
}
