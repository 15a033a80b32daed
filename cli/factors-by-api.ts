import { z } from 'zod';
import { apiRoutes } from '#core/contract';
import { CliError } from './cli-error.ts';
import type { ApiOption, CommandContext } from './command-context.ts';
import { controlApi } from './control-api.ts';
import type { FactorDesk } from './totp-enrolment.ts';

const text = z.string().max(2_000);
const listing = z.object({
  factors: z.array(
    z
      .object({
        identity: text,
        enrolledAt: text,
        enrolledBy: text,
        recoveryCodesLeft: z.number(),
        failures: z.number(),
        lockedUntil: z.exactOptional(text),
        driftSeconds: z.number(),
      })
      .transform(({ identity, ...rest }) => ({ identity, factor: 'enrolled' as const, ...rest })),
  ),
});
const enrolment = z.object({ secret: text, uri: text, recoveryCodes: z.array(text).max(100) });
const removal = z.object({ removed: z.literal(true) });

export function apiFactors(address: string, options: ApiOption, context: CommandContext): FactorDesk {
  const api = controlApi(address, options, context);
  return {
    enroll: (name, isReplacing) =>
      api.call({
        method: 'POST',
        route: apiRoutes.enrollFactor,
        values: { identity: name },
        body: { replace: isReplacing },
        answer: enrolment,
        sentences: {
          'enrolled-already': `${name} has a second factor; to make another one good in its place: sshtrail totp enroll ${name} --replace`,
          changed: `somebody else changed the factor of ${name} at the same time; see "sshtrail totp status"`,
        },
      }),
    async remove(name, reason) {
      await api.call({
        method: 'POST',
        route: apiRoutes.removeFactor,
        values: { identity: name },
        body: { reason },
        answer: removal,
        sentences: {
          'no-factor': `${JSON.stringify(name)} has no enrolled second factor; "sshtrail totp status" says who has one`,
        },
      });
    },
    async status(name) {
      const { factors } = await api.call({ method: 'GET', route: apiRoutes.factors, answer: listing });
      const found = factors.filter(({ identity }) => name === undefined || identity === name);
      if (name !== undefined && found.length === 0)
        throw new CliError(
          'not-found',
          `${JSON.stringify(name)} has no enrolled second factor; the API does not tell of those that sshtrail.yaml names`,
        );
      return found;
    },
  };
}
