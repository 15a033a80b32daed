/** What the engineer typed before the gateway's name: `ssh LOGIN@TARGET@gateway` (OpenSSH splits at the last @). */
export type LoginName =
  | { readonly kind: 'login-at-target'; readonly login: string; readonly target: string }
  /** No target: a connection to jump from, `ssh -J gateway LOGIN@TARGET`. */
  | { readonly kind: 'jump'; readonly user: string }
  | { readonly kind: 'malformed'; readonly message: string };

/** Unix account names as useradd and directories allow them, and target names as the inventory does. */
const loginPattern = /^[A-Za-z0-9_][A-Za-z0-9_.$-]{0,63}$/;
const targetPattern = /^[a-z0-9][a-z0-9._-]{0,127}$/;

const noLogin = 'the login before the target is not an account name: ssh LOGIN@TARGET@GATEWAY';

/** Splits at the last @. A login holds no @ itself. */
export function parseLoginName(user: string): LoginName {
  const at = user.lastIndexOf('@');
  if (at < 0) return loginPattern.test(user) ? { kind: 'jump', user } : malformed(noLogin);
  const login = user.slice(0, at);
  const target = user.slice(at + 1).toLowerCase();
  if (!loginPattern.test(login)) return malformed(noLogin);
  if (!targetPattern.test(target))
    return malformed('the target is not a name the inventory can hold: ssh LOGIN@TARGET@GATEWAY');
  return { kind: 'login-at-target', login, target };
}

/** The user name inside a jump, where the target is known: the login alone, or with the same target again. */
export function parseInnerName(user: string, target: string): LoginName {
  const name = parseLoginName(user);
  if (name.kind === 'jump') return { kind: 'login-at-target', login: user, target };
  if (name.kind === 'login-at-target' && name.target !== target)
    return malformed(`this connection leads to ${target}: ssh -J GATEWAY LOGIN@${target}`);
  return name;
}

function malformed(message: string): LoginName {
  return { kind: 'malformed', message };
}
