import { type Admission, lacks, nameOf } from './admit.ts';
import type { JumpPassage } from './jump.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';

/** Whether a code would help: not where policy denies either way, and where a factor is proved already only if it wants a newer one. */
export async function wantsCode(
  engineer: ProvenEngineer,
  passage: JumpPassage | undefined,
  admission: (engineer: ProvenEngineer) => Promise<Admission>,
): Promise<boolean> {
  // What the connections inside will need is not known yet.
  if (nameOf(engineer, passage).kind === 'jump') return !engineer.mfa.verified;
  const admitted = await admission(engineer);
  if (lacks(admitted, 'second-factor')) return true;
  if (engineer.mfa.verified) return false;
  // What is still to be answered after the code lets them in.
  return !('refusal' in admitted) || lacks(admitted, 'reason') || admitted.approval !== undefined;
}
