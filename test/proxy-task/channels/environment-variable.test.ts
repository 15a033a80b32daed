import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { AuditDraft } from '#core/contract';
import { compileRules, redactText } from '#core/redaction';
import { judgeVariable } from '../../../proxy-task/channels/environment-variable.ts';
import { atMs, sessionFacts } from '../../core/event/sample-facts.ts';

const rules = compileRules({ defaults: true, rules: [] });

async function judged(name: string, value: Uint8Array | string, number = 1) {
  const drafts: AuditDraft[] = [];
  const owner = {
    facts: sessionFacts,
    now: () => atMs,
    record: async (draft: AuditDraft) => void drafts.push(draft),
    redact: (text: string) => redactText(text, rules).text,
  };
  const verdict = await judgeVariable(owner, {
    channelId: 'c1',
    number,
    name,
    value: typeof value === 'string' ? Buffer.from(value) : value,
  });
  return { verdict, drafts, request: drafts[0]?.requestParameters };
}

describe('an environment variable', () => {
  it('is on record as it was sent', async () => {
    const { verdict, request } = await judged('LC_ALL', 'C.UTF-8');

    expect(verdict).toEqual({ kind: 'pass' });
    expect(request).toMatchObject({
      channelId: 'c1',
      variable: 'LC_ALL',
      value: 'C.UTF-8',
      valueBytes: '7',
    });
  });

  it.each([
    ['by its name', 'DB_PASSWORD', 'hunter2-hunter2'],
    ['by its shape', 'X', 'ghp_0123456789abcdefghijABCDEFGHIJ012345'],
    ['where it is long', 'API_TOKEN', 'q7'.repeat(1500)],
  ])('is hidden where it is a secret %s', async (_how, name, value) => {
    const { request } = await judged(name, value);

    expect(request?.['variable']).toBe(name);
    expect(request?.['value']).toMatch(/^\*+$/);
    expect(JSON.stringify(request)).not.toContain(value.slice(0, 12));
  });

  it('is refused beyond the limit, on record once', async () => {
    const last = await judged('A', 'x', 128);
    const first = await judged('A', 'x', 129);
    const more = await judged('A', 'x', 130);

    expect(last.verdict.kind).toBe('pass');
    expect([first.verdict.kind, more.verdict.kind]).toEqual(['refuse', 'refuse']);
    expect(first.drafts.map(({ errorCode }) => errorCode)).toEqual(['SessionLimitExceeded']);
    expect(more.drafts).toEqual([]);
  });

  it('of any bytes is on record, and not more of it than an event holds', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.string({ unit: 'binary' }),
        fc.uint8Array({ maxLength: 5000 }),
        async (name, value) => {
          const { verdict, request } = await judged(name, value);

          expect(verdict.kind).toBe('pass');
          expect(request?.['valueBytes']).toBe(String(value.length));
          expect(Buffer.byteLength(JSON.stringify(request))).toBeLessThan(20_000);
        },
      ),
      { numRuns: 200 },
    );
  });
});
