import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type FakeResponse, type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';

/** An event as rules and their targets see it. */
export type BusEvent = {
  readonly id: string;
  readonly bus: string;
  readonly source: string;
  readonly 'detail-type': string;
  /** ISO 8601 UTC in whole seconds. */
  readonly time: string;
  readonly detail: Readonly<Record<string, unknown>>;
};

export type FakeEventBridge = FakeService & {
  /** Events that were taken, in order. */
  readonly entries: readonly BusEvent[];
};

const entrySchema = z.looseObject({
  EventBusName: z.string().default('default'),
  Source: z.string().optional(),
  DetailType: z.string().optional(),
  Detail: z.string().optional(),
  Time: z.number().optional(),
  Resources: z.array(z.string()).default([]),
});
type Entry = z.output<typeof entrySchema>;
const putInput = z.looseObject({ Entries: z.array(entrySchema).min(1).max(10) });

const maxBytes = 256 * 1024;

/** PutEvents with its limits. `refuse` stands for what single entries are refused for. */
export function fakeEventBridge(
  options: {
    readonly onEvent?: (event: BusEvent) => void;
    /** Buses besides `default` that are there from the start; any where absent. */
    readonly buses?: readonly string[];
    readonly refuse?: (entry: Entry) => { readonly code: string; readonly message: string } | undefined;
  } = {},
): FakeEventBridge {
  const entries: BusEvent[] = [];
  const buses = options.buses === undefined ? undefined : new Set(['default', ...options.buses]);

  function put(body: unknown): FakeResponse {
    const parsed = putInput.safeParse(body);
    if (!parsed.success) return jsonError(400, 'ValidationException', parsed.error.message);
    const given = parsed.data.Entries;
    if (given.reduce((sum, entry) => sum + sizeOf(entry), 0) > maxBytes)
      return jsonError(
        400,
        'ValidationException',
        'Total size of the entries in the request is over the limit.',
      );
    const answers = given.map((entry) => {
      const refusal = options.refuse?.(entry) ?? refusalOf(entry, buses);
      if (refusal !== undefined) return { ErrorCode: refusal.code, ErrorMessage: refusal.message };
      const event = eventOf(entry);
      entries.push(event);
      options.onEvent?.(event);
      return { EventId: event.id };
    });
    return jsonAnswer({
      FailedEntryCount: answers.filter((answer) => 'ErrorCode' in answer).length,
      Entries: answers,
    });
  }

  return {
    service: 'events',
    entries,
    handle({ operation, body }) {
      return operation === 'PutEvents' ? put(JSON.parse(body.toString('utf8'))) : undefined;
    },
  };
}

/** As the guide to EventBridge says: 14 bytes for the time, and the UTF-8 of the rest. */
function sizeOf({ Time, Source = '', DetailType = '', Detail = '', Resources }: Entry): number {
  return (
    (Time === undefined ? 0 : 14) + Buffer.byteLength([Source, DetailType, Detail, ...Resources].join(''))
  );
}

function refusalOf(
  { EventBusName, Source = '', DetailType = '', Detail = '' }: Entry,
  buses: ReadonlySet<string> | undefined,
): { readonly code: string; readonly message: string } | undefined {
  const name = EventBusName.split('/').at(-1) ?? '';
  if (buses?.has(name) === false)
    return { code: 'ResourceNotFoundException', message: `Event bus ${name} does not exist.` };
  for (const [field, value] of Object.entries({ Source, DetailType, Detail }))
    if (value === '')
      return {
        code: 'InvalidArgument',
        message: `Parameter ${field} is not valid. Reason: ${field} is a required argument.`,
      };
  if (DetailType.length > 128)
    return { code: 'InvalidArgument', message: 'Parameter DetailType is not valid.' };
  if (Source.startsWith('aws.'))
    return { code: 'NotAuthorizedForSourceException', message: 'Not authorized for the source.' };
  if (detailOf(Detail) === undefined) return { code: 'MalformedDetail', message: 'Detail is malformed.' };
  return undefined;
}

function detailOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    return z.record(z.string(), z.unknown()).safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

function eventOf({ EventBusName, Source = '', DetailType = '', Detail = '', Time }: Entry): BusEvent {
  return {
    id: randomUUID(),
    bus: EventBusName,
    source: Source,
    'detail-type': DetailType,
    time: new Date(Math.floor(Time ?? Date.now() / 1000) * 1000).toISOString().replace('.000Z', 'Z'),
    detail: detailOf(Detail) ?? {},
  };
}
