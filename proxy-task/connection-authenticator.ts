import type { AuditDraft } from '#core/contract';
import { authenticateUser, type ConnectionFacts } from '#core/event';
import { admit, attemptOf, lacks, nameOf } from './admit.ts';
import { approvalQuestion } from './approval-question.ts';
import type { ConnectionContext } from './connection.ts';
import { lockFactsOf } from './locks/index.ts';
import { accessReason } from './login/access-reason.ts';
import { codeWitness } from './login/code-witness.ts';
import {
  createEngineerAuthenticator,
  type EngineerAuthenticator,
  type ProvenEngineer,
} from './login/engineer-authenticator.ts';
import { keyRefusalMessages } from './login/key-refusal.ts';
import { createMfaProofs } from './login/mfa-proofs.ts';
import { verificationCode } from './login/verification-code.ts';
import { wantsCode } from './wants-code.ts';

/** What decides who the engineer of a connection is, and what they are asked. `signal`: nobody is there any more to answer. */
export function authenticatorFor(
  context: ConnectionContext,
  connection: () => ConnectionFacts,
  signal: AbortSignal,
): EngineerAuthenticator {
  const { parts, locks, secondFactor, securityKeyCounters, source, passage } = context;
  const record = (draft: AuditDraft) => parts.journal.record(draft).then(() => undefined);
  const attempt = (engineer: ProvenEngineer) => attemptOf(engineer, connection(), passage);
  const proofs = createMfaProofs({
    control: parts.control,
    graceMs: parts.settings.mfaGraceMs,
    sourceAddress: source.ip,
    now: parts.now,
  });
  return createEngineerAuthenticator({
    ...(passage === undefined ? {} : { outer: passage.engineer }),
    identities: parts.identities,
    counters: securityKeyCounters,
    sourceAddress: source.ip,
    now: parts.now,
    knownProof: (engineer) => proofs.find(engineer),
    keyRefused: (engineer, why) =>
      record(
        authenticateUser(attempt(engineer), parts.now(), {
          kind: 'failure',
          errorCode: 'AuthenticationFailed',
          reason: why,
          message: keyRefusalMessages[why],
          securityKey: engineer.assertion,
        }),
      ),
    isRefused: async (engineer) => (await locks.refusalOf(lockFactsOf(attempt(engineer)))) !== undefined,
    questions: [
      verificationCode({
        secondFactor,
        now: parts.now,
        keepProof: (engineer) => proofs.keep(engineer),
        wanted: (engineer) => wantsCode(parts, engineer, connection(), passage),
        witness: codeWitness(parts, attempt),
      }),
      accessReason({
        redact: parts.redact,
        wanted: async (engineer) =>
          nameOf(engineer, passage).kind !== 'jump' &&
          lacks(await admit(parts, engineer, connection(), passage), 'reason'),
      }),
      approvalQuestion(context, connection, signal),
    ],
  });
}
