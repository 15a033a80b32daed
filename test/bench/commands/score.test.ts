import { describe, expect, it } from 'vitest';
import { score, total } from './score.ts';

describe('scoring', () => {
  it('counts lines in order, with blanks and continued lines made equal', () => {
    const truth = { commands: [{ text: 'echo  a \\\nb' }, { text: 'for x\ndo' }], secrets: [] };

    expect(score(truth, ['echo a b', 'for x', 'do'], '')).toMatchObject({ wanted: 3, found: 3, wrong: 0 });
    expect(score(truth, ['do', 'echo a b'], '')).toMatchObject({ found: 1, wrong: 1 });
  });

  it('neither rewards nor punishes an optional line', () => {
    const truth = { commands: [{ text: 'a' }, { text: 'yes', optional: true }], secrets: [] };

    expect(total([score(truth, ['a', 'yes'], '')])).toMatchObject({ precision: 1, recall: 1 });
    expect(total([score(truth, ['a'], '')])).toMatchObject({ precision: 1, recall: 1 });
  });

  it('takes other spellings of a line that are right', () => {
    expect(score({ commands: [{ text: 'echo a', alt: ['!!'] }], secrets: [] }, ['!!'], '').missing).toEqual(
      [],
    );
  });

  it('finds a secret anywhere in what was written', () => {
    const truth = { commands: [], secrets: ['hunter2'] };

    expect(total([score(truth, [], '{"prompt":"hunter2: "}')])).toMatchObject({ leaks: 1, perfect: 0 });
  });
});
