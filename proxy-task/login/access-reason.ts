import { printable } from '#core/wording';
import type { ProvenEngineer } from './engineer-authenticator.ts';
import type { LoginQuestion } from './login-question.ts';

const maxReasonCharacters = 500;

/** Asks why, where policy wants to know. The answer is on record with the start, or the refusal, of the session. */
export function accessReason(options: {
  /** Would a reason help this engineer? */
  readonly wanted: (engineer: ProvenEngineer) => Promise<boolean>;
  /** Hides secrets: people paste all kinds of things. */
  readonly redact: (text: string) => string;
}): LoginQuestion {
  return {
    async of(engineer) {
      if (engineer.reason !== undefined || !(await options.wanted(engineer))) return undefined;
      return {
        async begin() {
          return {
            kind: 'ask',
            request: {
              name: '',
              instruction: `Why do you connect? Up to ${maxReasonCharacters} characters, for the audit trail`,
              prompts: [{ text: 'Reason: ', echo: true }],
            },
          };
        },
        async answer(responses) {
          const reason = (responses[0] ?? '').trim();
          if (reason === '' || reason.length > maxReasonCharacters) return { kind: 'refused' };
          return { kind: 'answered', engineer: { ...engineer, reason: printable(options.redact(reason)) } };
        },
      };
    },
  };
}
