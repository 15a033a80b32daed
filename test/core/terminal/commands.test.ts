import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadScenarios, scoreScenario } from '../../bench/commands/scenarios.ts';
import { isPerfect, total } from '../../bench/commands/score.ts';

/** Recorded from real shells, programs and terminals; the truth is from the shells' own hooks. */
const vectors = join(import.meta.dirname, '../../vectors/commands');
const scenarios = loadScenarios(vectors);
/** Recorded at 0, 40 and 90 ms and 47, 63 and 200 columns with other prompts, on machines that were busy. */
const measured = loadScenarios(join(vectors, 'measured'));
const scores = new Map(scenarios.map((scenario) => [scenario.id, scoreScenario(scenario)]));

describe('the commands of terminals recorded later, under other conditions', () => {
  test.each(measured)('$id tells what ran, and no secret', (scenario) => {
    expect(scoreScenario(scenario)).toMatchObject({ missing: [], extra: [], leaked: [] });
  });
});

describe('the commands of recorded terminals', () => {
  test.each(scenarios.map(({ id }) => id))('%s tells what ran, and no secret', (id) => {
    const score = scores.get(id);

    expect(score).toMatchObject({ missing: [], extra: [], leaked: [] });
  });

  test('are found with the precision and recall that are promised', () => {
    const { precision, recall, leaks } = total([...scores.values()]);

    expect(precision).toBeGreaterThanOrEqual(0.99);
    expect(recall).toBeGreaterThanOrEqual(0.99);
    expect(leaks).toBe(0);
    expect([...scores.values()].filter(isPerfect).length).toBeGreaterThanOrEqual(86);
  });
});
