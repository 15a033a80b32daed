import { printable } from '#core/wording';
import { awsFaultKind } from '../attempts.ts';

/**
 * `unavailable` may pass by itself; `denied` needs a right or credentials; `refused` needs another name or value; `unsafe` is a
 * secret that does not lie there as one.
 */
export type ParametersErrorCode = 'unavailable' | 'denied' | 'refused' | 'unsafe';

export class ParametersError extends Error {
  override readonly name = 'ParametersError';
  readonly code: ParametersErrorCode;

  constructor(code: ParametersErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

type Operation =
  | 'DeleteParameter'
  | 'GetParameter'
  | 'GetParameterHistory'
  | 'GetParametersByPath'
  | 'PutParameter';

const done: Readonly<Record<Operation, string>> = {
  DeleteParameter: 'deleted',
  GetParameter: 'read',
  GetParameterHistory: 'read',
  GetParametersByPath: 'read',
  PutParameter: 'made',
};

/** The fault in words. AWS's own message is repeated only where it says what it refuses; a value is in none of them. */
export function parametersFault(operation: Operation, name: string, cause: unknown): ParametersError {
  if (cause instanceof ParametersError) return cause;
  const subject = `the parameter ${JSON.stringify(name)} could not be ${done[operation]}`;
  const fault = cause instanceof Error ? cause : new Error('unknown fault');
  const say = (code: ParametersErrorCode, reason: string) =>
    new ParametersError(code, `${subject}: ${reason}`, { cause });
  switch (awsFaultKind(cause)) {
    case 'throttled':
      return say('unavailable', 'Parameter Store throttles it; try again later');
    case 'unavailable':
      return say('unavailable', 'Parameter Store did not answer in time; try again, and look at the network');
    case 'denied':
      return say(
        'denied',
        `the role here lacks ssm:${operation} on it, or the right to use its key; deploy the stacks again`,
      );
    case 'credentials':
      return say(
        'denied',
        `there are no credentials that Parameter Store takes (${printable(fault.name)}); renew them, or look at the role`,
      );
    case 'refused':
      return say(
        'refused',
        `${printable(`${fault.name}: ${fault.message}`.slice(0, 300))}; see the message of Parameter Store`,
      );
  }
}
