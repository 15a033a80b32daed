import { loadPolicy, type PolicyRequest, type PolicySet } from '#core/policy';

/** Alice of the engineers opens a shell as deploy on web-1 (staging), without a second factor. */
export function request(changes: Partial<PolicyRequest> = {}): PolicyRequest {
  return {
    identity: { name: 'alice', kind: 'person', groups: ['engineers'] },
    target: { name: 'web-1', host: 'web-1.example.com', port: 22, labels: { env: 'staging' } },
    login: 'deploy',
    action: { kind: 'shell' },
    sourceIp: '192.0.2.7',
    nowMs: Date.UTC(2026, 10, 20, 10, 15),
    ...changes,
  };
}

export const production = {
  name: 'db-1',
  host: 'db-1.example.com',
  port: 22,
  labels: { env: 'prod', team: 'pay' },
};

export function policyOf(...texts: readonly string[]): PolicySet {
  const loaded = loadPolicy(texts.map((text, index) => ({ file: `${index}.cedar`, text })));
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems, null, 2));
  return loaded.policy;
}
