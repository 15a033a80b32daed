import { describe, expect, it } from 'vitest';
import type { ActionTaken, Finding } from '../../../core/contract/index.ts';
import { actionClass } from '../../../core/runbook/action-catalogue.ts';
import { decideActions } from '../../../core/runbook/decide-actions.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const finding: Finding = {
  runbookId: 'SSH-900',
  key: 'k',
  title: 't',
  severity: 'high',
  foundAtMs: nowMs,
  columns: { still_open: 'true' },
  state: 'open',
};
const none = { taken: new Map(), takenThisRun: new Map(), takenLastHour: new Map() };

function earlier(outcome: ActionTaken['outcome'], agoMs: number, attempts = 1) {
  const taken: ActionTaken = {
    runbookId: 'SSH-900',
    findingKey: 'k',
    action: 'session.revoke',
    atMs: nowMs - agoMs,
    outcome,
    detail: 'because',
    attempts,
  };
  return { ...none, taken: new Map([[0, taken]]) };
}

function kindOf(
  step: Parameters<typeof decideActions>[1][number],
  state: Parameters<typeof decideActions>[2] = none,
) {
  return decideActions(finding, [step], state, nowMs)[0]?.kind;
}

describe('what is done', () => {
  it.each([
    ['notify', 'auto', 'take'],
    ['notify', 'approve', 'ask'],
    ['notify', 'manual', 'manual'],
    ['session.revoke', 'auto', 'take'],
    ['principal.lock', 'auto', 'ask'],
    ['key.revoke', 'auto', 'ask'],
    ['principal.lock', 'manual', 'manual'],
    ['log.delete', 'auto', 'manual'],
    ['target.terminate', 'approve', 'manual'],
    ['toString', 'auto', 'manual'],
    ['anything else', 'auto', 'manual'],
  ] as const)('%s in mode %s: %s', (action, mode, kind) => {
    expect(kindOf({ action, mode })).toBe(kind);
  });

  it('depends on the condition', () => {
    const step = { action: 'notify', mode: 'auto' } as const;

    expect(kindOf({ ...step, when: { kind: 'column', column: 'still_open' } })).toBe('take');
    expect(kindOf({ ...step, when: { kind: 'column', column: 'mfa' } })).toBe('skip');
  });

  it.each([
    ['approve', 'ask'],
    ['stop', 'skip'],
  ] as const)('degrades at a limit with onExceed %s to %s', (onExceed, kind) => {
    const step = {
      action: 'session.revoke',
      mode: 'auto',
      limit: { perRun: 2, perHour: 5, onExceed },
    } as const;
    const run = { ...none, takenThisRun: new Map([['session.revoke', 2]]) };
    const hour = { ...none, takenLastHour: new Map([['session.revoke', 5]]) };
    const below = {
      ...none,
      takenThisRun: new Map([['session.revoke', 1]]),
      takenLastHour: new Map([['session.revoke', 4]]),
    };

    expect([kindOf(step, run), kindOf(step, hour), kindOf(step, below)]).toEqual([kind, kind, 'take']);
  });

  it.each([
    ['done', 0, 1, 'settled'],
    ['not-needed', 0, 1, 'settled'],
    ['waiting-approval', 0, 1, 'wait'],
    ['planned', 59_000, 1, 'wait'],
    ['planned', 61_000, 1, 'take'],
    ['failed', 0, 1, 'take'],
    ['failed', 0, 2, 'take'],
    ['failed', 0, 3, 'settled'],
  ] as const)('after %s, %i ms ago, attempt %i: %s', (outcome, agoMs, attempts, kind) => {
    expect(kindOf({ action: 'session.revoke', mode: 'auto' }, earlier(outcome, agoMs, attempts))).toBe(kind);
  });

  it('has a class for every action, and never for what nobody knows', () => {
    expect(['notify', 'grant.revoke', 'ca.rotate', '__proto__', 'x'].map(actionClass)).toEqual([
      'automatic',
      'approval',
      'never',
      'never',
      'never',
    ]);
  });
});
