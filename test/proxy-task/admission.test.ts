import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  type Admission,
  type AdmissionLimits,
  createAdmission,
  type Place,
} from '../../proxy-task/admission.ts';

const limits: AdmissionLimits = {
  maxSessions: 5,
  maxConnectionsPerSource: 3,
  maxStartsPerSourcePerMinute: 4,
};

function entered(admission: Admission, address: string): Place {
  const entry = admission.enter(address);
  if ('refusal' in entry) throw new Error(`refused: ${entry.refusal}`);
  return entry.place;
}

function outcome(admission: Admission, address: string): string {
  const entry = admission.enter(address);
  return 'refusal' in entry ? entry.refusal : 'entered';
}

test('a source gets as many connections as the limit says, and its places back when they end', () => {
  const admission = createAdmission(limits, () => 0);
  const places = [1, 2, 3].map(() => entered(admission, '192.0.2.1'));

  const fourth = outcome(admission, '192.0.2.1');
  places[0]?.leave();
  const afterOneLeft = outcome(admission, '192.0.2.1');

  expect(fourth).toBe('too-many-from-source');
  expect(afterOneLeft).toBe('entered');
});

test('a source that starts too fast is held to the rate, and earns starts back with time', () => {
  let now = 0;
  const admission = createAdmission(limits, () => now);
  for (let start = 0; start < 4; start += 1) entered(admission, '192.0.2.1').leave();

  const atOnce = outcome(admission, '192.0.2.1');
  now = 15_000;
  const aQuarterMinuteLater = outcome(admission, '192.0.2.1');

  expect(atOnce).toBe('starting-too-fast');
  expect(aQuarterMinuteLater).toBe('entered');
});

test('a source whose peer broke the protocol comes back later, and others at once', () => {
  let now = 0;
  const admission = createAdmission({ ...limits, maxStartsPerSourcePerMinute: 60 }, () => now);
  const place = entered(admission, '192.0.2.1');
  const outcomes = () => [outcome(admission, '192.0.2.1'), outcome(admission, '192.0.2.2')];

  place.fault();
  const first = outcomes();
  place.fault();
  place.fault();
  place.leave();
  const afterThree = outcomes();
  now = 31_000;
  const early = outcome(admission, '192.0.2.1');
  now = 34_000;
  const late = outcome(admission, '192.0.2.1');

  expect(first).toEqual(['entered', 'entered']);
  expect(afterThree).toEqual(['starting-too-fast', 'entered']);
  expect([early, late]).toEqual(['starting-too-fast', 'entered']);
});

test('sessions are bounded whatever the sources, and a place that is given back is free', () => {
  const admission = createAdmission(limits, () => 0);
  const places = [1, 2, 3, 4, 5, 6].map((host) => entered(admission, `198.51.100.${host}`));

  const outcomes = places.map((place) => place.authenticated());
  places[0]?.leave();
  const again = places[5]?.authenticated();

  expect(outcomes).toEqual([...Array<undefined>(5).fill(undefined), 'too-many-sessions']);
  expect(again).toBeUndefined();
  expect(admission.sessions).toBe(5);
});

test('addresses of one IPv6 network are one source', () => {
  const admission = createAdmission(limits, () => 0);

  const outcomes = [1, 2, 3, 4].map((host) => outcome(admission, `2001:db8:0:7:${host}::1`));

  expect(outcomes).toEqual(['entered', 'entered', 'entered', 'too-many-from-source']);
  expect(outcome(admission, '2001:db8:0:8::1')).toBe('entered');
});

test('a million addresses leave no million entries behind, and refusals of busy sources stay', () => {
  const admission = createAdmission(
    { ...limits, maxConnectionsPerSource: 1, maxStartsPerSourcePerMinute: 1 },
    () => 0,
  );
  entered(admission, '203.0.113.7');

  for (let host = 0; host < 50_000; host += 1)
    entered(admission, `2001:db8:${(host >> 8).toString(16)}:${(host & 255).toString(16)}::1`).leave();

  expect(outcome(admission, '203.0.113.7')).toBe('too-many-from-source');
});

test('counts come back to nothing, whatever comes and goes in whatever order', () => {
  const step = fc.record({ host: fc.nat(5), act: fc.constantFrom('enter', 'authenticate', 'leave') });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const admission = createAdmission({ ...limits, maxStartsPerSourcePerMinute: 1000 }, () => 0);
      const places: Place[] = [];
      for (const { host, act } of steps) {
        const place = places[host];
        if (act === 'authenticate') place?.authenticated();
        else if (act === 'leave') place?.leave();
        else {
          const entry = admission.enter(`192.0.2.${host}`);
          if ('place' in entry) places.push(entry.place);
        }
        expect(admission.sessions).toBeLessThanOrEqual(limits.maxSessions);
      }

      for (const place of places) place.leave();

      expect(admission).toMatchObject({ sessions: 0 });
    }),
  );
});

test('a place is taken once and given back once, however often either is said', () => {
  const admission = createAdmission(limits, () => 0);
  const [first, second] = ['192.0.2.1', '192.0.2.2'].map((each) => entered(admission, each));

  first?.authenticated();
  first?.authenticated();
  second?.leave();
  second?.leave();
  second?.authenticated();

  expect(admission.sessions).toBe(1);
  first?.leave();
  first?.leave();
  expect(admission.sessions).toBe(0);
});
