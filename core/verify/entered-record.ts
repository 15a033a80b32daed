import type { ChainedRecord } from '#core/chain';

/** What the completeness of sessions and recordings needs of a record. Small, since it goes from thread to thread. */
export type EnteredRecord = {
  readonly eventName: 'StartSession' | 'EndSession' | 'StoreRecording';
  readonly stream: string;
  readonly sessionId: string | undefined;
  readonly recordingId: string | undefined;
  /** How many recordings an EndSession speaks of. */
  readonly recordings: string | undefined;
  readonly recordingKey: string | undefined;
  readonly recordingSha256: string | undefined;
};

/** Undefined of most. */
export function enteredRecord(record: ChainedRecord): EnteredRecord | undefined {
  const { eventName, chain, requestParameters, responseElements, additionalEventData } = record;
  if (eventName !== 'StartSession' && eventName !== 'EndSession' && eventName !== 'StoreRecording')
    return undefined;
  return {
    eventName,
    stream: chain.stream,
    sessionId: additionalEventData['sessionId'],
    recordingId: requestParameters['recordingId'],
    recordings: responseElements['recordings'],
    recordingKey: responseElements['recordingKey'],
    recordingSha256: responseElements['recordingSha256'],
  };
}
