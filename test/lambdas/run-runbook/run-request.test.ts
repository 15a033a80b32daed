import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseRunRequest } from '../../../lambdas/run-runbook/run-request.ts';

const text = fc.oneof(
  fc.string(),
  fc.constantFrom('schedule', 'person', 'SSH-002', 'athena', 'lake', '2026-11-20T12:00:00Z', 'StartSession'),
);
const direct = fc.record({ kind: text, runbookId: text, engine: text, scheduledTime: text });
const event = fc.record({
  'detail-type': text,
  detail: fc.record({
    eventName: text,
    eventTime: text,
    userIdentity: fc.record({ type: text, principalId: text, userName: text }),
    additionalEventData: fc.dictionary(text, text),
  }),
});

it('gives a request that is what it says, or refuses, whatever it is', () => {
  fc.assert(
    fc.property(fc.oneof(fc.anything(), direct, event), (input) => {
      try {
        const request = parseRunRequest(input);

        if (request.kind === 'event') expect(Number.isSafeInteger(request.takenMs)).toBe(true);
        else expect(request.runbookId).toMatch(/^SSH-[0-9]{3}$/);
      } catch (error) {
        expect(error).toMatchObject({ code: 'bad-request' });
      }
    }),
    { numRuns: 1_000 },
  );
});

it('takes the time of Scheduler, with and without parts of a second', () => {
  const request = { kind: 'schedule', runbookId: 'SSH-002', engine: 'lake' };
  const atMs = Date.UTC(2026, 10, 20, 12);

  for (const scheduledTime of ['2026-11-20T12:00:00Z', '2026-11-20T12:00:00.000Z', '2026-11-20T12:00Z'])
    expect(parseRunRequest({ ...request, scheduledTime })).toEqual({
      kind: 'schedule',
      runbookId: 'SSH-002',
      engine: 'lake',
      scheduledMs: atMs,
    });
});
