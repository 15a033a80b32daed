import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createStartups } from '../../proxy-task/startups.ts';

const never = () => 0.999_999;
const always = () => 0;

test('below the beginning nobody is dropped', () => {
  const startups = createStartups({ begin: 10, ratePercent: 100, full: 20 }, always);
  const dropped: string[] = [];

  for (let index = 0; index < 10; index += 1) startups.enter('192.0.2.1', () => dropped.push(`${index}`));

  expect(dropped).toEqual([]);
  expect(startups.count).toBe(10);
});

test('from the full number on, each newcomer costs the oldest of the busiest source its place', () => {
  const startups = createStartups({ begin: 4, ratePercent: 1, full: 4 }, never);
  const dropped: string[] = [];
  const enter = (source: string, name: string) => startups.enter(source, () => dropped.push(name));
  enter('198.51.100.7', 'visitor');
  for (const name of ['flood-1', 'flood-2', 'flood-3', 'flood-4', 'flood-5']) enter('192.0.2.1', name);
  enter('198.51.100.8', 'another visitor');

  expect(dropped).toEqual(['flood-1', 'flood-2', 'flood-3']);
  expect(startups.count).toBe(4);
});

test('between beginning and full the probability grows from the rate to certainty', () => {
  const dropsAt = (count: number) =>
    Array.from({ length: 100 }, (_, percent) => {
      // Nobody goes until so many are there; then the dice decide.
      let dice = 0.999_999;
      const startups = createStartups({ begin: 10, ratePercent: 30, full: 20 }, () => dice);
      let dropped = 0;
      for (let index = 0; index < count; index += 1) startups.enter('192.0.2.1', () => (dropped += 1));
      dropped = 0;
      dice = percent / 100;
      startups.enter('192.0.2.1', () => (dropped += 1));
      return dropped;
    }).reduce((sum, drops) => sum + drops, 0);

  expect([9, 10, 15, 19, 20].map(dropsAt)).toEqual([0, 30, 65, 93, 100]);
});

test('who has authenticated or left gives the place back, once', () => {
  const startups = createStartups({ begin: 2, ratePercent: 100, full: 2 }, always);
  const dropped: string[] = [];
  const leave = startups.enter('192.0.2.1', () => dropped.push('first'));
  startups.enter('192.0.2.1', () => dropped.push('second'));

  leave();
  leave();
  startups.enter('192.0.2.1', () => dropped.push('third'));

  expect(dropped).toEqual([]);
  expect(startups.count).toBe(2);
});

test('there are never more than the full number, whoever comes and goes', () => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          source: fc.nat(5),
          leaves: fc.boolean(),
          random: fc.double({ min: 0, max: 0.999, noNaN: true }),
        }),
        { maxLength: 200 },
      ),
      (events) => {
        let random = 0;
        const startups = createStartups({ begin: 3, ratePercent: 30, full: 8 }, () => random);
        const open: (() => void)[] = [];
        for (const event of events) {
          random = event.random;
          if (event.leaves) open.shift()?.();
          else open.push(startups.enter(`192.0.2.${event.source}`, () => undefined));
          expect(startups.count).toBeLessThanOrEqual(8);
        }
      },
    ),
  );
});
