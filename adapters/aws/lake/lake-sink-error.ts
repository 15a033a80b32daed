export type LakeSinkErrorCode =
  /** The role here, or the channel's policy, does not let these events in. */
  | 'denied'
  /** The channel's ARN is wrong, or CloudTrail does not take events of this form. */
  | 'refused'
  /** CloudTrail did not answer, or takes no more events for the moment. */
  | 'unavailable';

/** What the sink rejects with; the records come again. */
export class LakeSinkError extends Error {
  readonly code: LakeSinkErrorCode;

  constructor(code: LakeSinkErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options);
    this.name = 'LakeSinkError';
    this.code = code;
  }
}
