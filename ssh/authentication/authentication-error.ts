/** Why authentication did not come about; stable codes. */
export type AuthenticationErrorCode =
  /** The grace time or the timeout ran out. */
  | 'timeout'
  /** Too many failed attempts, or too many keys offered. */
  | 'too-many-attempts'
  /** User name or service changed between requests. */
  | 'user-changed'
  /** The peer broke RFC 4252 or RFC 4256. */
  | 'protocol'
  /** An authenticator ended the connection, or a target refused every credential. */
  | 'refused'
  /** The connection ended before authentication did. */
  | 'ended';

/** The connection has been ended (or has ended) wherever this is thrown. Never holds a password or a response. */
export class AuthenticationError extends Error {
  override readonly name = 'AuthenticationError';
  readonly code: AuthenticationErrorCode;
  /** Client role, code `refused`: the methods the target would go on with. */
  readonly methods: readonly string[];

  constructor(
    code: AuthenticationErrorCode,
    message: string,
    options: ErrorOptions & { readonly methods?: readonly string[] } = {},
  ) {
    super(message, options);
    this.code = code;
    this.methods = options.methods ?? [];
  }
}
