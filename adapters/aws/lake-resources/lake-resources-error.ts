import { awsFaultKind } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';

export type LakeResourcesErrorCode =
  /** CloudTrail refuses, for the account or for this call: another try changes nothing. */
  | 'refused'
  /** What is there is somebody else's, or in a state that people have to change. */
  | 'in-the-way'
  /** It may pass by itself. */
  | 'unavailable';

/** Why the event data store or the channel cannot be had. */
export class LakeResourcesError extends Error {
  override readonly name = 'LakeResourcesError';
  readonly code: LakeResourcesErrorCode;

  constructor(code: LakeResourcesErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** `action` is what IAM calls it. */
export function lakeResourcesFault(action: string, cause: unknown): LakeResourcesError {
  if (cause instanceof LakeResourcesError) return cause;
  const kind = awsFaultKind(cause);
  if (kind === 'throttled' || kind === 'unavailable')
    return new LakeResourcesError(
      'unavailable',
      `CloudTrail Lake could not be asked for ${action}: ${awsFaultWords('CloudTrail', action, cause)}`,
      { cause },
    );
  // An account that is not entitled may be told so in any of several ways, a lack of rights among them.
  const said = cause instanceof Error ? `${cause.name}: ${cause.message}` : 'unknown fault';
  return new LakeResourcesError(
    'refused',
    `CloudTrail Lake refuses ${action} (${said.slice(0, 300)}); it takes no new customers since 31 May 2026, so an account that had it not before stays without`,
    { cause },
  );
}
