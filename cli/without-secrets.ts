import type { Configuration } from '#core/configuration';
import { compileRules, redactText } from '#core/redaction';

/** People paste all kinds of things into a reason; it goes into the store, the trail and notices, and engineers read it. */
export function withoutSecrets(text: string, { redaction }: Pick<Configuration, 'redaction'>): string {
  return redactText(text, compileRules(redaction)).text;
}
