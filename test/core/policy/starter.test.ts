import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { decide, type PolicyRequest, stepUp } from '#core/policy';
import { policyOf, production, request } from './requests.ts';

const starter = policyOf(
  readFileSync(new URL('../../../core/policy/starter.cedar', import.meta.url), 'utf8'),
);
const service: PolicyRequest['identity'] = { name: 'deployer', kind: 'service', groups: ['services'] };
const stranger: PolicyRequest['identity'] = { name: 'mallory', kind: 'person', groups: [] };
const fresh = { method: 'totp', ageSeconds: 0 };
const forwarding: PolicyRequest['action'] = {
  kind: 'forwardLocal',
  destination: { kind: 'tcp', host: 'db', port: 5432 },
};

describe('the starter policy', () => {
  it.each<[string, Partial<PolicyRequest>, string]>([
    ['ok/engineer on staging', {}, 'engineers-work'],
    ['ok/engineer forwards to staging', { action: forwarding }, 'engineers-forward'],
    ['ok/engineer on production with a code', { target: production, mfa: fresh }, 'engineers-work'],
    [
      'ok/service runs a command on staging',
      { identity: service, action: { kind: 'exec', command: 'x' } },
      'services-automate-staging',
    ],
    ['fail/engineer on production', { target: production }, 'production-needs-second-factor'],
    [
      'fail/factor of yesterday',
      { target: production, mfa: { method: 'totp', ageSeconds: 86_400 } },
      'production-needs-second-factor',
    ],
    [
      'fail/forward to production',
      { target: production, mfa: fresh, action: forwarding },
      'production-no-forwarding',
    ],
    ['fail/root', { login: 'root' }, 'no-root-login'],
    ['fail/X11', { action: { kind: 'forwardX11' } }, ''],
    ['fail/service opens a shell', { identity: service }, ''],
    [
      'fail/service on production',
      { identity: service, target: production, action: { kind: 'connect' } },
      'production-needs-second-factor',
    ],
    ['fail/stranger', { identity: stranger }, ''],
  ])('%s', (name, changes, policyId) => {
    const decision = decide(starter, request(changes));

    expect(decision.allowed).toBe(name.startsWith('ok/'));
    expect(decision.policyIds).toEqual(policyId === '' ? [] : [policyId]);
  });

  it('lets a lead approve a login as root, and that login in', () => {
    const lead = { name: 'lena', kind: 'person', groups: ['leads'] } as const;
    const approve = { action: { kind: 'approve' }, target: production, login: 'root' } as const;
    const approved = { login: 'root', approval: { count: 1, breakGlass: false } };

    expect(decide(starter, request({ ...approve, identity: lead })).policyIds).toEqual(['leads-approve']);
    expect(decide(starter, request(approve)).allowed).toBe(false);
    expect(stepUp(starter, request({ login: 'root' }))).toBe('approval');
    expect(decide(starter, request(approved)).policyIds).toEqual(['engineers-work']);
  });

  it('lets a lead, and no engineer, end sessions and lock, on a target and everywhere', () => {
    const lead = { name: 'lena', kind: 'person', groups: ['leads'] } as const;
    const there = { action: { kind: 'revoke' }, target: production } as const;
    const everywhere = { action: { kind: 'revoke', everywhere: true } } as const;

    for (const asked of [there, everywhere]) {
      expect(decide(starter, request({ ...asked, identity: lead })).policyIds).toEqual(['leads-revoke']);
      expect(decide(starter, request(asked)).allowed).toBe(false);
    }
  });

  it('asks an engineer, and no stranger, for a code on production', () => {
    expect(stepUp(starter, request({ target: production }))).toBe('mfa');
    expect(stepUp(starter, request({ target: production, identity: stranger }))).toBe('none');
    expect(stepUp(starter, request({ target: production, login: 'root' }))).toBe('mfa-and-approval');
  });
});
