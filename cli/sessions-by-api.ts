import { z } from 'zod';
import { apiRoutes } from '#core/contract';
import { toldDataSchemas } from '#core/control';
import { CliError } from './cli-error.ts';
import type { ApiOption, CommandContext } from './command-context.ts';
import { type ControlApi, controlApi } from './control-api.ts';
import { onlySession } from './only-match.ts';
import type { SessionDesk } from './sessions.ts';

const listing = z.object({ sessions: z.array(toldDataSchemas.session).max(10_000), truncated: z.boolean() });
const ending = z.object({ state: z.enum(['ended', 'asked', 'already', 'not-open']) });

export function apiSessions(address: string, options: ApiOption, context: CommandContext): SessionDesk {
  const api = controlApi(address, options, context);
  return {
    async list() {
      const { sessions, truncated } = await openSessionsOf(api);
      return truncated
        ? { sessions, note: `there are more: these are the ${sessions.length} that began first` }
        : { sessions };
    },
    async end(start, reason) {
      const session = onlySession((await openSessionsOf(api)).sessions, start);
      const { state } = await api.call({
        method: 'POST',
        route: apiRoutes.revokeSession,
        routeWithMfa: apiRoutes.revokeSessionWithMfa,
        values: { sessionId: session.sessionId },
        body: { message: reason },
        answer: ending,
      });
      if (state === 'asked' || state === 'already')
        throw new CliError(
          'not-running',
          `${session.sessionId} was asked to end and is still open; see whether its gateway ${JSON.stringify(session.proxyId)} is alive`,
        );
      return session;
    },
  };
}

export function openSessionsOf(api: ControlApi): Promise<z.output<typeof listing>> {
  return api.call({ method: 'GET', route: apiRoutes.sessions, answer: listing });
}
