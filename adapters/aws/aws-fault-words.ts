import { printable } from '#core/wording';
import { awsFaultKind } from './attempts.ts';

/** What went wrong with a call and what to do, as the end of a sentence. `action` is what IAM calls it. */
export function awsFaultWords(service: string, action: string, cause: unknown): string {
  const { name, message } = cause instanceof Error ? cause : { name: 'unknown fault', message: '' };
  switch (awsFaultKind(cause)) {
    case 'throttled':
      return `${service} throttles it; try again later`;
    case 'unavailable':
      return `${service} did not answer in time; try again, and look at the network if it goes on`;
    case 'denied':
      return `the role here lacks ${action}; deploy the stacks again`;
    case 'credentials':
      return `there are no credentials that ${service} takes (${printable(name)}); renew them, or look at the role`;
    case 'refused':
      return `${printable(`${name}: ${message}`.slice(0, 500))}; see the message of ${service}`;
  }
}
