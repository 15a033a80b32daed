import { z } from 'zod';
import { eventNames, type RunbookRequest } from '#core/contract';
import type { TriggeringEvent } from '#core/runbook';
import { FunctionError } from '../shared/index.ts';

/** What starts runs. */
export type RunRequest =
  | {
      readonly kind: 'schedule' | 'person';
      readonly runbookId: string;
      readonly engine: RunbookRequest['engine'];
      readonly scheduledMs: number;
    }
  | {
      readonly kind: 'event';
      readonly record: TriggeringEvent;
      /** When the journal took it. */
      readonly takenMs: number;
    };

/** What is read of the record; of one that is too large for the bus no more is there. */
const busEvent = z.object({
  'detail-type': z.enum(eventNames),
  detail: z.object({
    eventName: z.enum(eventNames),
    eventTime: z.string(),
    userIdentity: z.object({
      type: z.enum([
        'IAMUser',
        'AssumedRole',
        'IdentityCenterUser',
        'FederatedUser',
        'ServiceIdentity',
        'Unknown',
        'LocalUser',
      ]),
      principalId: z.string(),
      userName: z.string(),
    }),
    additionalEventData: z.object({ ingestTime: z.string().optional() }),
  }),
});

/**
 * A RunbookRequest, or an event of the bus.
 * @throws FunctionError `bad-request`
 */
export function parseRunRequest(input: unknown): RunRequest {
  const given = fieldsOf(input);
  if (given === undefined) throw refused('it is no object');
  return 'detail-type' in given ? eventRequest(given) : directRequest(given);
}

function directRequest(given: Fields): RunRequest {
  const { kind, runbookId, engine, scheduledTime, ...rest } = given;
  if (Object.keys(rest).length > 0)
    throw refused('it has other fields than kind, runbookId, engine, scheduledTime');
  if (kind !== 'schedule' && kind !== 'person') throw refused('its kind is neither schedule nor person');
  if (typeof runbookId !== 'string' || !/^SSH-[0-9]{3}$/.test(runbookId))
    throw refused('its runbookId is none, such as SSH-002');
  if (engine !== 'athena' && engine !== 'lake') throw refused('its engine is neither athena nor lake');
  const scheduledMs = timeOf(scheduledTime);
  if (scheduledMs === undefined) throw refused('its scheduledTime is not ISO 8601 in UTC');
  return { kind, runbookId, engine, scheduledMs };
}

function eventRequest(given: Fields): RunRequest {
  const parsed = busEvent.safeParse(given);
  if (!parsed.success || parsed.data.detail.eventName !== parsed.data['detail-type'])
    throw refused("the event's detail is no audit record of that name");
  const { eventName, eventTime, userIdentity, additionalEventData } = parsed.data.detail;
  const takenMs = timeOf(additionalEventData.ingestTime ?? eventTime);
  if (takenMs === undefined) throw refused('the record has no time');
  return { kind: 'event', record: { eventName, userIdentity }, takenMs };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(input: unknown): Fields | undefined {
  return typeof input === 'object' && input !== null && !Array.isArray(input) ? { ...input } : undefined;
}

function timeOf(text: unknown): number | undefined {
  if (typeof text !== 'string' || !/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?Z$/.test(text))
    return undefined;
  const ms = Date.parse(text);
  return Number.isNaN(ms) ? undefined : ms;
}

function refused(why: string): FunctionError {
  return new FunctionError(
    'bad-request',
    `the request cannot be taken: ${why}; it comes from the scheduler or the bus of this deployment`,
  );
}
