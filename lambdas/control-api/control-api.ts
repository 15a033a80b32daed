import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type LiveSession, type SessionId, sessionId as toSessionId } from '#core/contract';
import { refuseRevocation } from '#core/event';
import { printable } from '#core/wording';
import { apiIdentity, bodyOf, errorResponse, jsonResponse } from '../shared/index.ts';
import {
  type AccessRequestParts,
  askAccess,
  cancelAccess,
  decideAccess,
  listAccess,
} from './access-requests.ts';
import { addLock, type LockApiParts, listLocks, removeLock } from './locks.ts';
import {
  type AccessCaller,
  notAllowed,
  overseerOf,
  provedCaller,
  revokedSession,
  revokeRefusal,
} from './oversight.ts';

export type ControlApiParts = AccessRequestParts &
  LockApiParts & {
    readonly sleep: (ms: number) => Promise<void>;
  };

/** What became of the wish to end a session: `asked` and `already` where it was not seen to end in time. */
export type RevocationState = 'ended' | 'asked' | 'already';

const maxBodyBytes = 8 * 1024;
const maxMessage = 500;
/** An answer has at most 6 MB. */
const maxSessions = 5_000;
const revocationLifetimeMs = 86_400_000;
/** A gateway looks for revocations every second. */
const endedWithinMs = 5_000;
const lookEveryMs = 200;

type Answer = (
  event: APIGatewayProxyEvent,
  caller: AccessCaller,
  parts: ControlApiParts,
) => Promise<APIGatewayProxyResult>;

const routes: Readonly<Record<string, Readonly<Record<string, Answer>>>> = {
  [apiRoutes.sessions]: { GET: (_event, _caller, parts) => sessions(parts) },
  [apiRoutes.revokeSession]: { POST: revoke },
  [apiRoutes.revokeSessionWithMfa]: { POST: revoke },
  [apiRoutes.locks]: { GET: (_event, _caller, parts) => listLocks(parts), POST: addLock },
  [apiRoutes.locksWithMfa]: { POST: addLock },
  [apiRoutes.lock]: { DELETE: removeLock },
  [apiRoutes.lockWithMfa]: { DELETE: removeLock },
  [apiRoutes.requests]: { GET: (event, _caller, parts) => listAccess(event, parts), POST: askAccess },
  [apiRoutes.approveRequest]: { POST: decideAccess('approve') },
  [apiRoutes.approveRequestWithMfa]: { POST: decideAccess('approve') },
  [apiRoutes.rejectRequest]: { POST: decideAccess('reject') },
  [apiRoutes.rejectRequestWithMfa]: { POST: decideAccess('reject') },
  [apiRoutes.cancelRequest]: { POST: cancelAccess },
};
const revokeRequest = z.strictObject({ message: z.string().max(maxMessage).optional() });

/** Who is connected, the end of one session, locks, and requests for access. IAM has decided who may call; who may act upon others, policy says. */
export async function controlApi(
  event: APIGatewayProxyEvent,
  parts: ControlApiParts,
): Promise<APIGatewayProxyResult> {
  const methods = Object.hasOwn(routes, event.resource) ? routes[event.resource] : undefined;
  if (methods === undefined)
    return errorResponse(404, 'no-such-route', `there is ${Object.keys(routes).join(', ')}`);
  const answer = Object.hasOwn(methods, event.httpMethod) ? methods[event.httpMethod] : undefined;
  const allow = Object.keys(methods).join(', ');
  if (answer === undefined) return errorResponse(405, 'wrong-method', `this route takes ${allow}`, { allow });
  const identity = apiIdentity(event);
  if (!identity.ok) return errorResponse(403, identity.reason, identity.message);
  return answer(event, identity, parts);
}

/** Oldest first. */
async function sessions({ control }: ControlApiParts): Promise<APIGatewayProxyResult> {
  const open = (await control.list('session'))
    .map(({ data }) => data)
    .filter(({ state }) => state === 'open')
    .sort((one, other) => one.startedAtMs - other.startedAtMs);
  const listed: readonly LiveSession[] = open.slice(0, maxSessions).map(withoutFacts);
  return jsonResponse(200, { sessions: listed, truncated: listed.length < open.length });
}

/** Labels may be long. */
function withoutFacts(session: LiveSession): LiveSession {
  const { targetFacts: _, ...told } = session;
  return told;
}

/** As `sshtrail kill` does, where policy lets the caller: a wish in the store, which the gateway that has the session takes up and puts on record. */
async function revoke(
  event: APIGatewayProxyEvent,
  who: AccessCaller,
  parts: ControlApiParts,
): Promise<APIGatewayProxyResult> {
  const sessionId = sessionIdIn(event);
  if (sessionId === undefined)
    return errorResponse(
      400,
      'bad-session-id',
      'a session id is s- and 32 hex digits; GET /v1/sessions lists them',
    );
  const written = messageIn(event);
  if (written === undefined)
    return errorResponse(
      400,
      'bad-request',
      `the body is empty or {"message": "at most ${maxMessage} characters"}`,
    );
  const session = (await parts.control.get('session', sessionId))?.data;
  if (session?.state !== 'open') return jsonResponse(200, { sessionId, state: 'not-open' });
  const overseer = overseerOf(event, who, parts);
  const rules = await parts.rules();
  const message = rules.redact(written);
  const refused = await revokeRefusal(overseer, revokedSession(session, rules), rules, parts);
  if (refused !== undefined) {
    const what = { session, reason: message, refused };
    await parts.journal.record(refuseRevocation(provedCaller(overseer), parts.now(), what));
    return notAllowed(refused);
  }
  const { name } = who.caller;
  const state = await revokeSession(sessionId, { by: `iam:${name}`, message: `${message} (${name})` }, parts);
  return jsonResponse(state === 'asked' || state === 'already' ? 202 : 200, { sessionId, state });
}

async function revokeSession(
  sessionId: SessionId,
  { by, message }: { readonly by: string; readonly message: string },
  { control, now, sleep }: ControlApiParts,
): Promise<RevocationState> {
  const isOpen = async () => (await control.get('session', sessionId))?.data.state === 'open';
  const atMs = now();
  const stored = await control.put(
    'revocation',
    sessionId,
    { sessionId, by, message, atMs },
    { kind: 'absent' },
    atMs + revocationLifetimeMs,
  );
  for (;;) {
    if (!(await isOpen())) return 'ended';
    if (now() - atMs >= endedWithinMs) return stored === undefined ? 'already' : 'asked';
    await sleep(lookEveryMs);
  }
}

function sessionIdIn(event: APIGatewayProxyEvent): SessionId | undefined {
  try {
    return toSessionId(event.pathParameters?.['sessionId'] ?? '');
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Undefined where the body is of another form. What it says is shown to an engineer's terminal. */
function messageIn(event: APIGatewayProxyEvent): string | undefined {
  const body = bodyOf(event);
  if (body.length > maxBodyBytes) return undefined;
  if (body.length === 0) return defaultMessage;
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = revokeRequest.safeParse(json);
  if (!parsed.success) return undefined;
  const { message = '' } = parsed.data;
  return message.trim() === '' ? defaultMessage : printable(message);
}

const defaultMessage = 'ended by an operator';
