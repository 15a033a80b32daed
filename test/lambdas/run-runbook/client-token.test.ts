import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Finding } from '../../../core/contract/index.ts';
import { clientToken } from '../../../lambdas/run-runbook/client-token.ts';

const finding: Finding = {
  runbookId: 'SSH-002',
  key: 's-1',
  title: 'x',
  severity: 'high',
  foundAtMs: 1,
  columns: {},
  state: 'open',
};

it('is a UUID of version 5, 36 characters', () => {
  expect(clientToken(finding)).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  );
});

it('is the same for the same try, whatever has become of the finding', () => {
  expect(clientToken({ ...finding, state: 'failed', columns: { a: 'b' } })).toBe(clientToken(finding));
});

it.each([
  ['runbook', { runbookId: 'SSH-001' }],
  ['key', { key: 's-2' }],
  ['time it was found', { foundAtMs: 2 }],
  ['try', { handedOverMs: 2 }],
])('is another for another %s', (_, change) => {
  expect(clientToken({ ...finding, ...change })).not.toBe(clientToken(finding));
});

it('is another for keys that look the same when they are put together', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (one, other) => {
      fc.pre(one !== other);

      expect(clientToken({ ...finding, key: one })).not.toBe(clientToken({ ...finding, key: other }));
    }),
  );
});
