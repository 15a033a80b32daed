import { expect } from 'vitest';
import type { Finished } from './run.ts';

/** A refusal as a person reads it: one line, without a stack, that says what to do next. */
export function expectOneSentence(finished: Finished, nextStep: string, code = 1): void {
  expect(finished.code).toBe(code);
  expect(finished.stderr).toMatch(/^sshtrail: [^\n]+\n$/);
  expect(finished.stderr).toContain(nextStep);
}
