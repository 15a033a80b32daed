import { type ConnectionFacts, denyAccess } from '#core/event';
import { type Admission, attemptOf, nameOf } from './admit.ts';
import type { ConnectionContext } from './connection.ts';
import { accessApproval } from './login/access-approval.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';
import type { LoginQuestion } from './login/login-question.ts';

/** Where somebody else's approval is all that a login lacks, it may wait for that. */
export function approvalQuestion(
  { parts, passage, takeSession }: Pick<ConnectionContext, 'parts' | 'passage' | 'takeSession'>,
  connection: () => ConnectionFacts,
  admission: (engineer: ProvenEngineer) => Promise<Admission>,
  signal: AbortSignal,
): LoginQuestion {
  const { control, journal, notifier, now, randomBytes, report, settings } = parts;
  const record: Parameters<typeof accessApproval>[0]['desk']['record'] = async (draft) => {
    await journal.record(draft);
  };
  return accessApproval({
    desk: { control, record, now },
    notifier,
    settings: settings.access,
    lookEveryMs: settings.revocationLatencyMs,
    proxyId: settings.proxyId,
    async wanted(engineer) {
      // What the connections inside will need is not known yet; each of them is asked for itself.
      if (nameOf(engineer, passage).kind === 'jump') return undefined;
      const admitted = await admission(engineer);
      return 'refusal' in admitted ? admitted.approval : undefined;
    },
    actor: (engineer) => ({ kind: 'login', attempt: attemptOf(engineer, connection(), passage) }),
    takePlace: takeSession,
    denied: (engineer, refusal) =>
      record(denyAccess(attemptOf(engineer, connection(), passage), now(), refusal)),
    redact: parts.redact,
    randomBytes,
    report,
    signal,
  });
}
