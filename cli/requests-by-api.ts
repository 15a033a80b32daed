import { z } from 'zod';
import { apiRoutes } from '#core/contract';
import { toldDataSchemas } from '#core/control';
import { isRequestId } from '#core/grant';
import { durationMs } from '#core/runbook';
import { CliError } from './cli-error.ts';
import type { ApiOption, CommandContext } from './command-context.ts';
import { type ControlApi, controlApi } from './control-api.ts';
import { onlyRequest } from './only-match.ts';
import type { AccessDesk, AccessWish } from './requests.ts';

const { request, grant } = toldDataSchemas;
const listing = z.object({ requests: z.array(request).max(10_000), truncated: z.boolean() });
const answer = z.object({ request, grant: z.exactOptional(grant) });

const routes = {
  approve: { route: apiRoutes.approveRequest, routeWithMfa: apiRoutes.approveRequestWithMfa },
  reject: { route: apiRoutes.rejectRequest, routeWithMfa: apiRoutes.rejectRequestWithMfa },
  cancel: { route: apiRoutes.cancelRequest },
} as const;

const sentences = {
  'no-such-request': 'there is no such request; "sshtrail requests" lists what waits',
  'too-many-requests': 'too many of your requests wait; take one back with "sshtrail cancel ID"',
};

export function apiRequests(address: string, options: ApiOption, context: CommandContext): AccessDesk {
  const api = controlApi(address, options, context);
  return {
    async ask(wish) {
      const body = bodyOf(wish);
      const asked = await api.call({ method: 'POST', route: apiRoutes.requests, body, answer, sentences });
      // The API has told them.
      return { ...asked, announce: async () => undefined };
    },
    list: (isAll) => listOf(api, isAll, context),
    async decide(kind, start, reason) {
      // Who was told the whole id needs no right to see what else waits.
      const requestId = isRequestId(start) ? start : onlyRequest(await listOf(api, true, context), start).id;
      return api.call({
        method: 'POST',
        ...routes[kind],
        values: { requestId },
        body: { reason },
        answer,
        sentences,
      });
    },
  };
}

function bodyOf({ target, login, reason, ticket, actions, breakGlass, for: text }: AccessWish) {
  const forMs = text === undefined ? undefined : durationMs(text);
  if (text !== undefined && (forMs === undefined || forMs < 60_000))
    throw new CliError('bad-input', '--for takes 1m and more, written as 90s, 30m, 2h or 1d');
  return {
    target,
    login,
    reason,
    ...(forMs === undefined ? {} : { forSeconds: Math.floor(forMs / 1000) }),
    ...(ticket === undefined ? {} : { ticket }),
    ...(actions.length === 0 ? {} : { actions }),
    ...(breakGlass ? { breakGlass } : {}),
  };
}

async function listOf(api: ControlApi, isAll: boolean, { output }: CommandContext) {
  const { requests, truncated } = await api.call({
    method: 'GET',
    route: apiRoutes.requests,
    ...(isAll ? { query: { all: 'true' } } : {}),
    answer: listing,
  });
  if (truncated) output.note(`there are more: these are the ${requests.length} newest`);
  return requests;
}
