import { describe, expect, it } from 'vitest';
import { defineDeployment } from '../../lib/index.ts';

describe('a deployment', () => {
  it.each([
    ['name', { name: 'Not A Name' }],
    ['allowedClientCidrs.0', { allowedClientCidrs: ['everywhere'] }],
    ['allowedAccounts.1', { allowedAccounts: ['123456789012', '12'] }],
    ['retention.lockDays', { retention: { lockDays: 0 } }],
    ['gateway.tasks', { gateway: { tasks: 0 } }],
    ['gateway.maxDrainMinutes', { gateway: { maxDrainMinutes: 180 } }],
    ['runbooks.0.schedule', { runbooks: [{ id: 'SSH-001', schedule: 'sometimes' }] }],
    ['notifyEmails.0', { notifyEmails: ['nobody'] }],
  ] as const)('is refused with the name of the field: %s', (field, input) => {
    // What is frozen here is a plain object there.
    const bad = JSON.parse(JSON.stringify(input)) as Parameters<typeof defineDeployment>[0];

    expect(() => defineDeployment(bad)).toThrow(
      expect.objectContaining({
        name: 'DeploymentConfigError',
        code: 'invalid-deployment',
        message: expect.stringContaining(`\n  ${field}: `),
      }),
    );
  });

  it('is refused where a field is misspelt, and every problem is told at once', () => {
    const bad: object = { naem: 'x', caGeneration: 0, logRetentionDays: 7 };

    expect(() => defineDeployment(bad)).toThrow(/naem/);
    expect(() => defineDeployment(bad)).toThrow(/\n {2}caGeneration: /);
    expect(() => defineDeployment(bad)).toThrow(/\n {2}logRetentionDays: /);
  });
});
