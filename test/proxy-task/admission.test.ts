import { expect, test } from 'vitest';
import { createAdmission } from '../../proxy-task/admission.ts';

const limits = { maxConnections: 5, maxConnectionsPerSource: 3, maxStartsPerSourcePerMinute: 4 };

test('a source gets as many connections as the limit says, and its places back when they end', () => {
  const admission = createAdmission(limits, () => 0);

  const first = [1, 2, 3].map(() => admission.enter('192.0.2.1'));
  const fourth = admission.enter('192.0.2.1');
  admission.leave('192.0.2.1');
  const afterOneLeft = admission.enter('192.0.2.1');

  expect(first).toEqual([undefined, undefined, undefined]);
  expect(fourth).toBe('too-many-from-source');
  expect(afterOneLeft).toBeUndefined();
});

test('a source that starts too fast is held to the rate, and earns starts back with time', () => {
  let now = 0;
  const admission = createAdmission(limits, () => now);
  for (let start = 0; start < 4; start += 1) {
    admission.enter('192.0.2.1');
    admission.leave('192.0.2.1');
  }

  const atOnce = admission.enter('192.0.2.1');
  now = 15_000;
  const aQuarterMinuteLater = admission.enter('192.0.2.1');

  expect(atOnce).toBe('starting-too-fast');
  expect(aQuarterMinuteLater).toBeUndefined();
});

test('the total is bounded whatever the sources', () => {
  const admission = createAdmission(limits, () => 0);

  const outcomes = [1, 2, 3, 4, 5, 6].map((host) => admission.enter(`198.51.100.${host}`));

  expect(outcomes.slice(0, 5)).toEqual([undefined, undefined, undefined, undefined, undefined]);
  expect(outcomes[5]).toBe('too-many-connections');
});

test('a million addresses leave no million entries behind, and refusals of busy sources stay', () => {
  const admission = createAdmission(
    { maxConnections: 10, maxConnectionsPerSource: 1, maxStartsPerSourcePerMinute: 1 },
    () => 0,
  );
  admission.enter('203.0.113.7');

  for (let host = 0; host < 50_000; host += 1) {
    admission.enter(`2001:db8::${host.toString(16)}`);
    admission.leave(`2001:db8::${host.toString(16)}`);
  }

  expect(admission.enter('203.0.113.7')).toBe('too-many-from-source');
  expect(admission.connections).toBe(1);
});

test('leaving without having entered frees nothing', () => {
  const admission = createAdmission(limits, () => 0);

  admission.leave('192.0.2.9');

  expect(admission.connections).toBe(0);
});
