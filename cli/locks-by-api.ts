import { z } from 'zod';
import { apiRoutes, type Lock } from '#core/contract';
import { toldDataSchemas } from '#core/control';
import { CliError } from './cli-error.ts';
import type { ApiOption, CommandContext } from './command-context.ts';
import { type ControlApi, controlApi } from './control-api.ts';
import type { LockDesk } from './locks.ts';
import { onlyLock } from './only-match.ts';
import { openSessionsOf } from './sessions-by-api.ts';

const listing = z.object({ locks: z.array(toldDataSchemas.lock).max(10_000), truncated: z.boolean() });
const lifting = z.object({ state: z.enum(['lifted', 'not-there']) });

export function apiLocks(address: string, options: ApiOption, context: CommandContext): LockDesk {
  const api = controlApi(address, options, context);
  return {
    lookEveryMs: 1_000,
    place: ({ selector, message, forMs }) =>
      api.call({
        method: 'POST',
        route: apiRoutes.locks,
        routeWithMfa: apiRoutes.locksWithMfa,
        body: { selector, message, ...(forMs === undefined ? {} : { forSeconds: Math.ceil(forMs / 1000) }) },
        answer: toldDataSchemas.lock,
        sentences: { 'too-many-locks': 'there are too many locks already; lift some with "sshtrail unlock"' },
      }),
    async lift(start) {
      const lock = onlyLock(await locksOf(api, context), start);
      const { state } = await api.call({
        method: 'DELETE',
        route: apiRoutes.lock,
        routeWithMfa: apiRoutes.lockWithMfa,
        values: { lockId: lock.lockId },
        answer: lifting,
      });
      if (state === 'lifted') return lock;
      throw new CliError(
        'not-found',
        `${lock.lockId} is gone by now: it expired, or somebody else lifted it`,
      );
    },
    list: () => locksOf(api, context),
    openSessions: async () => (await openSessionsOf(api)).sessions,
  };
}

async function locksOf(api: ControlApi, { output }: CommandContext): Promise<readonly Lock[]> {
  const { locks, truncated } = await api.call({ method: 'GET', route: apiRoutes.locks, answer: listing });
  if (truncated) output.note(`there are more: these are the ${locks.length} oldest`);
  return locks;
}
