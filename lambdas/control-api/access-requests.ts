import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { type AccessRequest, apiRoutes, type Journal, type Notifier } from '#core/contract';
import type { AccessActor } from '#core/event';
import {
  breakGlass,
  breakGlassNotice,
  decideRequest,
  grantWish,
  isRequestId,
  listRequests,
  mayDecide,
  openRequest,
  type RequestDesk,
  type RequestOutcome,
  reasonText,
  requestNotice,
  stateAt,
  waitsForSomebody,
} from '#core/grant';
import type { PolicyRequest } from '#core/policy';
import { bodyOf, errorResponse, jsonResponse } from '../shared/index.ts';
import type { AccessRules } from './access-rules.ts';
import {
  type AccessCaller,
  type Overseer,
  type OversightParts,
  overseerOf,
  provedCaller,
  questionBy,
} from './oversight.ts';

export type AccessRequestParts = OversightParts & {
  readonly journal: Journal;
  readonly notifier: Notifier;
  readonly randomBytes: (size: number) => Buffer;
};

const maxBodyBytes = 8 * 1024;
/** An answer has at most 6 MB. */
const maxListed = 2_000;

const text = z.string().max(2_000);
const requestBody = z.strictObject({
  target: text,
  login: text,
  reason: text,
  forSeconds: z.int().min(60).optional(),
  ticket: text.optional(),
  actions: z.array(z.string().max(64)).max(32).optional(),
  breakGlass: z.boolean().optional(),
});
const decisionBody = z.strictObject({ reason: text.optional() });

/** What waits, newest first; with `?all=true` also what was decided on lately. */
export async function listAccess(
  event: APIGatewayProxyEvent,
  { control, now }: AccessRequestParts,
): Promise<APIGatewayProxyResult> {
  const isAll = event.queryStringParameters?.['all'] === 'true';
  const wanted = (await listRequests(control)).filter((request) => isAll || waitsForSomebody(request, now()));
  const requests: readonly AccessRequest[] = wanted.slice(0, maxListed);
  return jsonResponse(200, { requests, truncated: requests.length < wanted.length });
}

/** Asks. IAM has decided who may call; whether it is of use, policy says. */
export async function askAccess(
  event: APIGatewayProxyEvent,
  who: AccessCaller,
  parts: AccessRequestParts,
): Promise<APIGatewayProxyResult> {
  const body = read(event, requestBody);
  if (body === undefined)
    return errorResponse(
      400,
      'bad-request',
      'the body is {"target", "login", "reason"} and may have forSeconds, ticket, actions and breakGlass',
    );
  const rules = await parts.rules();
  const target = rules.targets.find(({ name }) => name === body.target);
  if (target === undefined)
    return errorResponse(
      404,
      'no-such-target',
      'the configuration has no such target; one that is found by its tags is asked for by logging in',
    );
  const { maxGrantSeconds, grantSeconds, requestSeconds } = rules.access;
  const forSeconds = body.forSeconds ?? grantSeconds;
  if (forSeconds > maxGrantSeconds)
    return errorResponse(400, 'bad-request', `forSeconds is at most ${maxGrantSeconds}`);
  const connect = {
    ...question(who, rules, target, body.login, parts),
    action: { kind: 'connect' },
  } as const;
  const wanted = grantWish(rules.policy, connect, {
    id: `r-${parts.randomBytes(16).toString('hex')}`,
    actions: body.actions ?? [],
    reason: rules.redact(body.reason),
    ...(body.ticket === undefined ? {} : { ticket: body.ticket }),
    forMs: forSeconds * 1000,
    decideWithinMs: requestSeconds * 1000,
    breakGlass: body.breakGlass === true,
  });
  if (!wanted.ok) return errorResponse(409, 'not-requestable', wanted.message);
  const desk = deskOf(parts);
  if (body.breakGlass === true) {
    const { request, grant } = await breakGlass(desk, actorOf(who), wanted.wish);
    await parts.notifier.notify(breakGlassNotice(request));
    return jsonResponse(201, { request, grant });
  }
  const request = await openRequest(desk, actorOf(who), wanted.wish);
  if (request === 'too-many')
    return errorResponse(429, 'too-many-requests', 'too many of your requests wait; cancel one');
  await parts.notifier.notify(requestNotice(request));
  return jsonResponse(201, { request });
}

/** Decides. IAM has decided who may call; who may decide, policy says. */
export function decideAccess(kind: 'approve' | 'reject') {
  return (event: APIGatewayProxyEvent, who: AccessCaller, parts: AccessRequestParts) =>
    decide(kind, event, overseerOf(event, who, parts), parts);
}

/** Takes back one's own, which takes no more than to be who asked. */
export function cancelAccess(event: APIGatewayProxyEvent, who: AccessCaller, parts: AccessRequestParts) {
  return decide('cancel', event, who, parts);
}

async function decide(
  kind: 'approve' | 'reject' | 'cancel',
  event: APIGatewayProxyEvent,
  who: AccessCaller & Partial<Overseer>,
  parts: AccessRequestParts,
): Promise<APIGatewayProxyResult> {
  const id = event.pathParameters?.['requestId'] ?? '';
  if (!isRequestId(id))
    return errorResponse(
      400,
      'bad-request-id',
      `a request id is r- and 32 hex digits; GET ${apiRoutes.requests} lists them`,
    );
  const body = read(event, decisionBody);
  const reason = body === undefined ? undefined : reasonText(body.reason ?? defaultReasons[kind]);
  if (reason === undefined)
    return errorResponse(
      400,
      'bad-request',
      kind === 'reject'
        ? 'the body is {"reason"}, which who asked will read'
        : 'the body is empty or {"reason"}',
    );
  const rules = await parts.rules();
  const outcome = await decideRequest(
    deskOf(parts),
    actorOf(who),
    id,
    { kind, by: who.caller.name, reason: rules.redact(reason) },
    (request) =>
      mayDecide(parts.control, rules.policy, request, {
        ...question(who, rules, request.target, request.login, parts),
        action: { kind: 'approve' },
      }),
  );
  return answerTo(outcome, parts.now());
}

const defaultReasons = { approve: 'approved', reject: '', cancel: 'no longer needed' } as const;

function answerTo(outcome: RequestOutcome, nowMs: number): APIGatewayProxyResult {
  if (outcome.kind === 'unknown')
    return errorResponse(
      404,
      'no-such-request',
      `there is no such request; GET ${apiRoutes.requests} lists them`,
    );
  if (outcome.kind === 'refused') {
    const status = outcome.why === 'decided-before' || outcome.why === 'expired' ? 409 : 403;
    return errorResponse(status, outcome.why, outcome.message);
  }
  const { request, grant } = outcome;
  return jsonResponse(200, {
    request: { ...request, state: stateAt(request, nowMs) },
    ...(grant === undefined ? {} : { grant }),
  });
}

function question(
  who: AccessCaller & Partial<Overseer>,
  rules: AccessRules,
  { name, host, port, labels }: AccessRequest['target'],
  login: string,
  { now }: AccessRequestParts,
): Omit<PolicyRequest, 'action'> {
  return {
    ...questionBy(who, rules, now()),
    target: { name, host, port, labels },
    login,
  };
}

function actorOf(who: AccessCaller & Partial<Overseer>): AccessActor {
  return { kind: 'api', caller: provedCaller(who) };
}

function deskOf({ control, journal, now }: AccessRequestParts): RequestDesk {
  return {
    control,
    now,
    record: async (draft) => {
      await journal.record(draft);
    },
  };
}

/** Undefined where the body is of another form. */
function read<Body>(event: APIGatewayProxyEvent, schema: z.ZodType<Body>): Body | undefined {
  const body = bodyOf(event);
  if (body.length > maxBodyBytes) return undefined;
  let json: unknown;
  try {
    json = body.length === 0 ? {} : JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = schema.safeParse(json);
  return parsed.success ? parsed.data : undefined;
}
