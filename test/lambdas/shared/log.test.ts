import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createCount, createLog, metricLine } from '../../../lambdas/shared/index.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);

function logged(say: (log: ReturnType<typeof createLog>) => void): readonly string[] {
  const lines: string[] = [];
  say(createLog((line) => void lines.push(line), { function: 'act', requestId: 'r-1', now: () => nowMs }));
  return lines;
}

describe('the log', () => {
  it('writes one object a line with what everybody looks for', () => {
    const [line = ''] = logged((log) =>
      log.info('a finding was looked at', { runbookId: 'SSH-002', steps: 3 }),
    );

    expect(JSON.parse(line)).toEqual({
      level: 'info',
      message: 'a finding was looked at',
      at: '2026-11-20T12:00:00.000Z',
      requestId: 'r-1',
      function: 'act',
      runbookId: 'SSH-002',
      steps: 3,
    });
  });

  it('says of an error its name, code and sentence, and those of its causes, but no stack', () => {
    const cause = new RangeError('too large');
    const error = Object.assign(new Error('not done', { cause }), { code: 'incomplete' });

    const [line = ''] = logged((log) => log.error('it failed', error));

    expect(JSON.parse(line)).toMatchObject({
      level: 'error',
      error: 'Error',
      errorCode: 'incomplete',
      errorMessage: 'not done',
      cause: 'RangeError: too large',
    });
    expect(line).not.toContain('log.test.ts');
  });

  it('comes to an end with causes that do not', () => {
    const error = new Error('round');
    error.cause = error;

    const [line = ''] = logged((log) => log.error('it failed', error));

    expect(line.length).toBeLessThan(1_000);
  });

  it('lets no field take the place of its own', () => {
    const [line = ''] = logged((log) =>
      log.warn('true', { level: 'info', requestId: 'forged', function: 'x', at: 'y' }),
    );

    expect(JSON.parse(line)).toMatchObject({ level: 'warn', requestId: 'r-1', function: 'act' });
  });

  it('is one line of plain text, whatever is said', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 3_000 }), (text) => {
        const [line = '', ...more] = logged((log) => log.error(text, new Error(text), { field: text }));

        expect(more).toEqual([]);
        expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
        expect(() => JSON.parse(line)).not.toThrow();
      }),
    );
  });
});

describe('a metric', () => {
  it('is a line of the embedded metric format', () => {
    expect(
      JSON.parse(metricLine('sshtrail', 'Findings', 2, 'Count', { Service: 'run-runbook' }, nowMs)),
    ).toEqual({
      Service: 'run-runbook',
      Findings: 2,
      _aws: {
        Timestamp: nowMs,
        CloudWatchMetrics: [
          {
            Namespace: 'sshtrail',
            Dimensions: [['Service']],
            Metrics: [{ Name: 'Findings', Unit: 'Count' }],
          },
        ],
      },
    });
  });

  it('of a function stands under the name of its service', () => {
    const lines: string[] = [];
    createCount((line) => void lines.push(line), { function: 'act', now: () => nowMs })('StepFailed', 1);

    expect(JSON.parse(lines[0] ?? '')).toMatchObject({ Service: 'act', StepFailed: 1 });
  });
});
