import { expect, test } from 'vitest';
import { widePermits } from '#core/policy';
import { policyOf } from './requests.ts';

test('a permit that leaves its action open is told of, and nothing else is', () => {
  const policy = policyOf(`
@id("open") permit (principal, action, resource);
@id("named") permit (principal, action in [Action::"session"], resource);
@id("no") forbid (principal, action, resource) when { context.login == "root" };
`);

  const told = widePermits(policy);

  expect(told.map(({ message, line }) => [line, message])).toEqual([
    [2, expect.stringContaining('policy "open" permits every action')],
  ]);
});
