/** What Cedar said: the policies that decided, and those that could not be evaluated. */
export type Evaluation = {
  readonly allow: boolean;
  readonly determining: readonly string[];
  readonly failed: readonly string[];
};

const maxRemembered = 2048;
/** Longer questions carry a command or a path and do not come again. */
const maxQuestionLength = 1024;

const remembered = new Map<string, Evaluation>();

/**
 * Asks, unless just this was asked before of just these policies. Cedar's answer follows from the two alone: the time, the age of a
 * factor and the source stand in the question wherever one of the policies reads them, and other policies have another serial.
 */
export function knownEvaluation(
  policies: number,
  question: object,
  ask: () => Evaluation | undefined,
): Evaluation | undefined {
  const key = `${policies} ${JSON.stringify(question)}`;
  const known = remembered.get(key);
  if (known !== undefined) return known;
  const answer = ask();
  if (answer === undefined || key.length > maxQuestionLength) return answer;
  if (remembered.size >= maxRemembered) {
    const [oldest] = remembered.keys();
    if (oldest !== undefined) remembered.delete(oldest);
  }
  remembered.set(key, answer);
  return answer;
}
