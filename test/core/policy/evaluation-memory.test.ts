import { describe, expect, it } from 'vitest';
import { decide } from '#core/policy';
import { knownEvaluation } from '../../../core/policy/evaluation-memory.ts';
import { policyOf, request } from './requests.ts';

const yes = { allow: true, determining: ['p'], failed: [] };

describe('what was asked before', () => {
  it('is answered without asking again, by the same policies only', () => {
    const asked: number[] = [];
    const ask = (policies: number) =>
      knownEvaluation(policies, { login: 'remembered' }, () => {
        asked.push(policies);
        return yes;
      });

    expect([ask(-1), ask(-1), ask(-2)]).toEqual([yes, yes, yes]);
    expect(asked).toEqual([-1, -2]);
  });

  it('is asked again where there was no answer, and where the question is long', () => {
    let asked = 0;
    const count = (answer: typeof yes | undefined) => () => {
      asked += 1;
      return answer;
    };
    for (let time = 0; time < 2; time += 1) {
      knownEvaluation(-3, { login: 'unanswered' }, count(undefined));
      knownEvaluation(-3, { command: 'x'.repeat(2000) }, count(yes));
    }

    expect(asked).toBe(4);
  });

  it('is forgotten, oldest first, when much else was asked since', () => {
    let asked = 0;
    const ask = (question: number) =>
      knownEvaluation(-4, { question }, () => {
        asked += 1;
        return yes;
      });
    for (let question = 0; question < 3000; question += 1) ask(question);

    ask(2999);
    ask(0);

    expect(asked).toBe(3001);
  });
});

describe('a decision that was made before', () => {
  it('changes with the time where a policy reads the time', () => {
    const policy = policyOf(
      '@id("p") permit (principal, action, resource) when { context.time < datetime("2026-11-20T10:15:30Z") };',
    );
    const at = (seconds: number) =>
      decide(policy, request({ nowMs: Date.UTC(2026, 10, 20, 10, 15, seconds) })).allowed;

    expect([at(29), at(29), at(30), at(29)]).toEqual([true, true, false, true]);
  });

  it('changes with the age of the second factor where a policy reads that', () => {
    const policy = policyOf(
      '@id("p") permit (principal, action, resource) when { context.mfa && context.mfaAgeSeconds < 60 };',
    );
    const aged = (ageSeconds: number) =>
      decide(policy, request({ mfa: { method: 'totp', ageSeconds } })).allowed;

    expect([aged(59), aged(60), decide(policy, request()).allowed, aged(59)]).toEqual([
      true,
      false,
      false,
      true,
    ]);
  });

  it('changes with the policies, though their names stay', () => {
    const before = policyOf(
      '@id("p") permit (principal, action, resource) when { context.login == "deploy" };',
    );
    const after = policyOf('@id("p") permit (principal, action, resource) when { context.login == "root" };');

    expect([before, after, before].map((policy) => decide(policy, request()).allowed)).toEqual([
      true,
      false,
      true,
    ]);
  });

  it('is not that of another engineer, login, source, group or label', () => {
    const policy = policyOf(
      `@id("p") permit (principal in Group::"engineers", action, resource in HostGroup::"env=staging")
       when { principal.name == "alice" && context.login == "deploy" && context.sourceIp.isInRange(ip("192.0.2.0/24")) };`,
    );
    const allowed = (changes: Parameters<typeof request>[0]) => decide(policy, request(changes)).allowed;

    expect(allowed({})).toBe(true);
    expect(allowed({ identity: { name: 'bob', kind: 'person', groups: ['engineers'] } })).toBe(false);
    expect(allowed({ identity: { name: 'alice', kind: 'person', groups: [] } })).toBe(false);
    expect(allowed({ login: 'root' })).toBe(false);
    expect(allowed({ sourceIp: '198.51.100.7' })).toBe(false);
    expect(allowed({ target: { name: 'web-1', host: 'h', port: 22, labels: { env: 'prod' } } })).toBe(false);
    expect(allowed({})).toBe(true);
  });
});
