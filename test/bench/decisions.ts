import { decide, loadPolicy, type PolicyRequest, type PolicySet } from '#core/policy';
import { BenchError } from './bench-error.ts';
import type { Figure } from './figure.ts';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const policies = 100;
const hosts = 10_000;
const warmUp = 2_000;
const decisions = 50_000;
const promisedMs = 0.2;

export const decisionTimes: Family = {
  name: 'decisions',
  about: `${decisions} answers of ${policies} policies about ${hosts} hosts, and as many of which none was asked before`,
  async measure() {
    const policy = manyPolicies();
    const times = { any: measured(policy, () => 0), fresh: measured(policy, (number) => number) };
    return (['any', 'fresh'] as const).map(
      (which): Figure => ({
        name: which === 'any' ? 'decision' : 'decision-never-asked',
        unit: 'ms',
        measured: { kind: 'value', value: percentile(times[which], 0.5) },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: promisedMs } },
      }),
    );
  },
};

/** Thirty teams with rules for their hosts, and ten rules for all. */
function manyPolicies(): PolicySet {
  const texts = Array.from({ length: policies }, (_, number) => {
    const team = number % 30;
    if (number < 30)
      return `permit (principal in Group::"team-${team}", action in [Action::"session", Action::"transfer"], resource in HostGroup::"team=${team}");`;
    if (number < 60)
      return `forbid (principal, action, resource in HostGroup::"team=${team}") when { context.login == "root" };`;
    if (number < 90)
      return `permit (principal in Group::"on-call", action, resource in HostGroup::"team=${team}") when { context.mfa && context.mfaAgeSeconds < 3600 };`;
    return `forbid (principal, action, resource) when { context.hour == ${number % 24} && context.mfaAgeSeconds > 43200 };`;
  });
  const loaded = loadPolicy([
    { file: 'bench.cedar', text: texts.map((text, number) => `@id("p${number}") ${text}`).join('\n') },
  ]);
  if (!loaded.ok)
    throw new BenchError('failed', `the policies cannot be used: ${loaded.problems[0]?.message}`);
  return loaded.policy;
}

/** Milliseconds of each decision. `age` makes questions differ that would be the same. */
function measured(policy: PolicySet, age: (number: number) => number): readonly number[] {
  const times: number[] = [];
  for (let number = 0; number < warmUp + decisions; number += 1) {
    const request = requestOf(number, age(number));
    const started = performance.now();
    decide(policy, request);
    if (number >= warmUp) times.push(performance.now() - started);
  }
  return times;
}

function requestOf(number: number, age: number): PolicyRequest {
  // A step that has no factor in common with the number of hosts visits each of them.
  const host = (number * 7919) % hosts;
  return {
    identity: {
      name: `engineer-${number % 200}`,
      kind: 'person',
      groups: [`team-${host % 30}`, ...(number % 10 === 0 ? ['on-call'] : [])],
    },
    target: {
      name: `host-${host}`,
      host: `host-${host}.example.com`,
      port: 22,
      labels: { team: String(host % 30), env: host % 3 === 0 ? 'prod' : 'staging' },
    },
    login: number % 50 === 0 ? 'root' : 'deploy',
    action: number % 2 === 0 ? { kind: 'shell' } : { kind: 'connect' },
    mfa: { method: 'totp', ageSeconds: age },
    sourceIp: '192.0.2.7',
    nowMs: Date.UTC(2026, 10, 20, 10, 15),
  };
}
