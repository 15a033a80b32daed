import type { PolicyProblem, PolicySet } from './load-policy.ts';

/**
 * Permits that leave their action open. Whoever wrote one most often thought of logging in, and it also lets people approve each other's
 * requests, end each other's sessions and lock each other out.
 */
export function widePermits({ policies }: PolicySet): readonly PolicyProblem[] {
  return policies
    .filter(({ effect, cedar }) => effect === 'permit' && cedar.action.op === 'All')
    .map(({ file, id, line }) => ({
      file,
      line,
      column: 1,
      message: `policy "${id}" permits every action, to approve what others ask for, to end their sessions and to lock them out among them`,
      fix: 'name the actions: action in [Action::"session", Action::"transfer", Action::"forward"]',
    }));
}
