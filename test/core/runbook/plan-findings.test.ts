import { describe, expect, it } from 'vitest';
import { planFindings } from '../../../core/runbook/plan-findings.ts';
import { sampleRunbook } from './sample-runbook.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const row = (session_id: string | null, user_name: string | null = 'alice') => ({
  session_id,
  user_name,
  still_open: true,
});

describe('findings', () => {
  it('are one for each key, in order, with the columns as text', () => {
    const planned = planFindings(sampleRunbook(), [row('s-2'), row('s-1', 'bob'), row('s-2')], nowMs);

    expect(planned.map(({ finding, rows }) => [finding.key, finding.title, rows.length])).toEqual([
      ['s-1', 'bob did it', 1],
      ['s-2', 'alice did it', 2],
    ]);
    expect(planned[0]?.finding.columns).toEqual({ session_id: 's-1', user_name: 'bob', still_open: 'true' });
  });

  it('need as many rows as the threshold says', () => {
    const runbook = sampleRunbook((yaml) =>
      yaml.replace('  suppress: 24h', '  threshold: { count: 2 }\n  suppress: 24h'),
    );

    const planned = planFindings(runbook, [row('s-2'), row('s-1'), row('s-2')], nowMs);

    expect(planned.map(({ finding }) => finding.key)).toEqual(['s-2']);
  });

  it('are not made of a row without a key', () => {
    expect(planFindings(sampleRunbook(), [row(null)], nowMs)).toEqual([]);
  });

  it('leave NULL out of the columns', () => {
    const [planned] = planFindings(sampleRunbook(), [row('s-1', null)], nowMs);

    expect(planned?.finding).toMatchObject({
      title: '- did it',
      columns: { session_id: 's-1', still_open: 'true' },
    });
  });

  it.each([
    'a b',
    'x'.repeat(300),
    '\u001b[2J',
    'é',
    '{{ global:REGION }}',
    'a"b',
    "a'b",
    '-x',
    '$(id)',
    'a\\b',
  ])('name an awkward key %j by its hash', (key) => {
    const [planned] = planFindings(sampleRunbook(), [row(key)], nowMs);

    expect(planned?.finding.key).toMatch(/^sha256:[0-9a-f]{64}$/);
  });
});
