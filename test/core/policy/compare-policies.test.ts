import { expect, test } from 'vitest';
import { comparePolicies } from '#core/policy';
import { policyOf } from './requests.ts';

const policy = (id: string, text = 'permit (principal, action, resource);') => `@id("${id}") ${text}`;

test('a change is told by the ids of what was added, removed and changed', () => {
  const before = policyOf(`${policy('stays')}\n${policy('goes')}\n${policy('turns')}`);
  const after = policyOf(
    `${policy('turns', 'forbid (principal, action, resource);')}\n${policy('new')}\n${policy('also-new')}`,
    policy('stays'),
  );

  expect(comparePolicies(before, after)).toEqual({
    added: ['also-new', 'new'],
    removed: ['goes'],
    changed: ['turns'],
  });
});

test('another order, or another file, changes no policy', () => {
  const before = policyOf(`${policy('a')}\n${policy('b')}`);

  expect(comparePolicies(before, policyOf(policy('b'), policy('a')))).toEqual({
    added: [],
    removed: [],
    changed: [],
  });
});
