import type { ConnectionFacts } from '#core/event';
import { admit, lacks, nameOf } from './admit.ts';
import type { GatewayParts } from './gateway-parts.ts';
import type { JumpPassage } from './jump.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';

/** Whether a code would help: not where policy denies either way, and where a factor is proved already only if it wants a newer one. */
export async function wantsCode(
  parts: GatewayParts,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  passage: JumpPassage | undefined,
): Promise<boolean> {
  // What the connections inside will need is not known yet.
  if (nameOf(engineer, passage).kind === 'jump') return !engineer.mfa.verified;
  const admitted = await admit(parts, engineer, connection, passage);
  if (lacks(admitted, 'second-factor')) return true;
  if (engineer.mfa.verified) return false;
  // What is still to be answered after the code lets them in.
  return !('refusal' in admitted) || lacks(admitted, 'reason') || admitted.approval !== undefined;
}
