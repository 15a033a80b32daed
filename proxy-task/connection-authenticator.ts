import type { AuditDraft } from '#core/contract';
import { authenticateUser, type ConnectionFacts } from '#core/event';
import { type Admission, admit, attemptOf, lacks, nameOf } from './admit.ts';
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
  // Each question asks whether its answer would help; the last answer, which lets in, is policy's alone and asked for anew.
  const admissions = new WeakMap<ProvenEngineer, Promise<Admission>>();
  const admission = (engineer: ProvenEngineer) => {
    const known = admissions.get(engineer) ?? admit(parts, engineer, connection(), passage);
    admissions.set(engineer, known);
    return known;
  };
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
        wanted: (engineer) => wantsCode(engineer, passage, admission),
        witness: codeWitness(parts, attempt),
      }),
      accessReason({
        redact: parts.redact,
        wanted: async (engineer) =>
          nameOf(engineer, passage).kind !== 'jump' && lacks(await admission(engineer), 'reason'),
      }),
      approvalQuestion(context, connection, admission, signal),
    ],
  });
}
