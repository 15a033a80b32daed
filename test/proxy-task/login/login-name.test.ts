import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseInnerName, parseLoginName } from '../../../proxy-task/login/login-name.ts';

const good: Record<string, { login: string; target: string }> = {
  'ok/plain': { login: 'root', target: 'web-1' },
  'ok/dots and dashes': { login: 'ec2-user', target: 'web-1.example.com' },
  'ok/service account with a dollar': { login: 'svc$', target: 'db' },
};

test.each(Object.entries(good))('%s', (_name, { login, target }) => {
  expect(parseLoginName(`${login}@${target}`)).toEqual({ kind: 'login-at-target', login, target });
});

test.each([
  ['fail/empty login', '@web-1'],
  ['fail/empty target', 'root@'],
  ['fail/a login that is an option', '-oProxyCommand=x@web-1'],
  ['fail/two at signs', 'a@b@web-1'],
  ['fail/line feed', 'root\n@web-1'],
  ['fail/NUL', 'root\0@web-1'],
  ['fail/a target that climbs', 'root@../etc'],
  ['fail/a very long login', `${'a'.repeat(65)}@web-1`],
])('%s', (_name, user) => {
  const parsed = parseLoginName(user);

  expect(parsed.kind).toBe('malformed');
});

test('a user without a target is one to jump from', () => {
  expect(parseLoginName('alice')).toEqual({ kind: 'jump', user: 'alice' });
});

test('inside a jump the login alone is enough, and another target is refused', () => {
  const inner = { kind: 'login-at-target', login: 'root', target: 'web-1' };

  expect(parseInnerName('root', 'web-1')).toEqual(inner);
  expect(parseInnerName('root@web-1', 'web-1')).toEqual(inner);
  expect(parseInnerName('root@web-2', 'web-1').kind).toBe('malformed');
  expect(parseInnerName('-oProxyCommand=x', 'web-1').kind).toBe('malformed');
});

test('a target is found whatever its case', () => {
  expect(parseLoginName('root@Web-1')).toEqual({ kind: 'login-at-target', login: 'root', target: 'web-1' });
});

test('any text is either refused or gives names that need no quoting', () => {
  fc.assert(
    fc.property(fc.string(), (user) => {
      const parsed = parseLoginName(user);

      return parsed.kind !== 'login-at-target' || /^[\w.$-]+$/.test(parsed.login + parsed.target);
    }),
  );
});
