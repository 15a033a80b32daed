import { z } from 'zod';
import { apiRoutes } from '#core/contract';
import { CliError } from './cli-error.ts';
import type { ApiOption, CommandContext } from './command-context.ts';
import { controlApi } from './control-api.ts';
import type { FactorDesk } from './totp-enrolment.ts';
import { changedMeanwhile, nothingWaits, refusedCode } from './totp-refusals.ts';

const text = z.string().max(2_000);
const listing = z.object({
  factors: z.array(
    z.object({
      identity: text,
      factor: z.enum(['enrolled', 'unconfirmed']).default('enrolled'),
      enrolledAt: z.exactOptional(text),
      enrolledBy: z.exactOptional(text),
      confirmBefore: z.exactOptional(text),
      recoveryCodesLeft: z.number(),
      failures: z.number(),
      lockedUntil: z.exactOptional(text),
      driftSeconds: z.number(),
    }),
  ),
});
const enrolment = z.object({
  secret: text,
  uri: text,
  recoveryCodes: z.array(text).max(100),
  confirmBefore: z.exactOptional(text),
});
const confirmation = z.object({ confirmed: z.literal(true) });
const removal = z.object({ removed: z.literal(true) });

export function apiFactors(address: string, options: ApiOption, context: CommandContext): FactorDesk {
  const api = controlApi(address, options, context);
  return {
    enroll: (name, wish) =>
      api.call({
        method: 'POST',
        route: apiRoutes.enrollFactor,
        values: { identity: name },
        body: wish,
        answer: enrolment,
        sentences: {
          'enrolled-already': `${name} has a second factor; to make another one good in its place: sshtrail totp enroll ${name} --replace`,
          changed: changedMeanwhile(name),
        },
      }),
    async confirm(name, code) {
      await api.call({
        method: 'POST',
        route: apiRoutes.enrollFactor,
        values: { identity: name },
        body: { code },
        answer: confirmation,
        sentences: {
          'code-refused': refusedCode('wrong'),
          'nothing-waits': nothingWaits(name),
          'enrolled-already': changedMeanwhile(name),
          changed: changedMeanwhile(name),
        },
      });
    },
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
