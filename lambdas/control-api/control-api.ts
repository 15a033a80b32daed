import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type ControlStore, type LiveSession, sessionId } from '#core/contract';
import { identityFromArn } from '#core/federation';
import { printable } from '#core/wording';
import { bodyOf, errorResponse, jsonResponse, requestIdentity } from '../shared/index.ts';

export type ControlApiParts = {
  readonly control: ControlStore;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

const maxBodyBytes = 8 * 1024;
const revocationLifetimeMs = 86_400_000;
/** A gateway looks for revocations every second. */
const endedWithinMs = 5_000;
const lookEveryMs = 200;

const revokeRequest = z.strictObject({ message: z.string().max(500).default('ended by an operator') });

/** Who is connected, and the end of one session. IAM has decided who may call. */
export async function controlApi(
  event: APIGatewayProxyEvent,
  parts: ControlApiParts,
): Promise<APIGatewayProxyResult> {
  switch (`${event.httpMethod} ${event.resource}`) {
    case `GET ${apiRoutes.sessions}`: {
      const sessions = (await parts.control.list('session')).map(({ data }) => sessionView(data));
      return jsonResponse(200, { sessions });
    }
    case `POST ${apiRoutes.revokeSession}`:
      return revoke(event, parts);
    default:
      return errorResponse(
        404,
        'no-such-route',
        'there is GET /v1/sessions and POST /v1/sessions/{sessionId}/revoke',
      );
  }
}

function sessionView(session: LiveSession) {
  const { startedAtMs, ...rest } = session;
  return { ...rest, startedAt: new Date(startedAtMs).toISOString() };
}

/** As `sshtrail kill` does: a wish in the store, which the gateway that has the session takes up and puts on record. */
async function revoke(
  event: APIGatewayProxyEvent,
  { control, now, sleep }: ControlApiParts,
): Promise<APIGatewayProxyResult> {
  const wanted = event.pathParameters?.['sessionId'] ?? '';
  if (!/^s-[0-9a-f]{32}$/.test(wanted))
    return errorResponse(
      400,
      'bad-session-id',
      'a session id is s- and 32 hex digits; GET /v1/sessions lists them',
    );
  const message = messageOf(event);
  if (message === undefined)
    return errorResponse(400, 'bad-request', 'the body is empty or {"message": "at most 500 characters"}');
  const identity = requestIdentity(event);
  const caller = identityFromArn(identity.arn, identity.principalId);
  if (!caller.ok) return errorResponse(403, 'unusable-identity', caller.message);
  const id = sessionId(wanted);
  if ((await control.get('session', id)) === undefined)
    return errorResponse(
      404,
      'not-open',
      `the session ${id} is not open; GET /v1/sessions lists those that are`,
    );

  const by = `iam/${caller.caller.name}`;
  const atMs = now();
  const stored = await control.put(
    'revocation',
    id,
    { sessionId: id, by, message: `${printable(message)} (${by})`, atMs },
    { kind: 'absent' },
    atMs + revocationLifetimeMs,
  );
  while (now() - atMs < endedWithinMs) {
    if ((await control.get('session', id)) === undefined)
      return jsonResponse(200, { sessionId: id, state: 'ended' });
    await sleep(lookEveryMs);
  }
  return jsonResponse(202, { sessionId: id, state: stored === undefined ? 'already' : 'asked' });
}

function messageOf(event: APIGatewayProxyEvent): string | undefined {
  const body = bodyOf(event);
  if (body.length > maxBodyBytes) return undefined;
  if (body.length === 0) return revokeRequest.parse({}).message;
  try {
    const parsed = revokeRequest.safeParse(JSON.parse(body.toString('utf8')));
    return parsed.success ? parsed.data.message : undefined;
  } catch {
    return undefined;
  }
}
