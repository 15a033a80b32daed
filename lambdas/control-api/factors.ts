import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type ControlStore, type Journal } from '#core/contract';
import { enrollFactor, removeFactor } from '#core/event';
import { enrollTotp, removeTotp, totpLockedForMs } from '#core/totp';
import { apiIdentity, bodyOf, errorResponse, jsonResponse } from '../shared/index.ts';

export type FactorParts = {
  readonly control: ControlStore;
  readonly journal: Journal;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
};

const maxBodyBytes = 8 * 1024;
const maxReason = 500;
const totpStepSeconds = 30;
/** As the configuration and IAM's names allow them. */
const identityPattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,128}$/;

const methods: Readonly<Record<string, string>> = {
  [apiRoutes.factors]: 'GET',
  [apiRoutes.enrollFactor]: 'POST',
  [apiRoutes.removeFactor]: 'POST',
};
const enrollRequest = z.strictObject({ replace: z.boolean().default(false) });
const removeRequest = z.strictObject({ reason: z.string().max(maxReason).default('removed by the API') });

export function isFactorRoute(resource: string): boolean {
  return Object.hasOwn(methods, resource);
}

/**
 * Second factors by codes: who has one, a new one, none any more. IAM has decided who may call; who gives out factors can take the
 * place of one that was lost, so this is a right of operators and not of engineers.
 */
export async function factorApi(
  event: APIGatewayProxyEvent,
  parts: FactorParts,
): Promise<APIGatewayProxyResult> {
  const method = methods[event.resource] ?? '';
  if (event.httpMethod !== method)
    return errorResponse(405, 'wrong-method', `this route takes ${method}`, { allow: method });
  const caller = apiIdentity(event);
  if (!caller.ok) return errorResponse(403, caller.reason, caller.message);
  if (event.resource === apiRoutes.factors) return factors(parts);
  const identity = identityIn(event);
  if (identity === undefined)
    return errorResponse(400, 'bad-identity', 'an identity has letters, digits and . _ @ + -, at most 129');
  const by = `iam:${caller.caller.name}`;
  return event.resource === apiRoutes.enrollFactor
    ? enroll(event, identity, by, parts)
    : remove(event, identity, by, parts);
}

/** In the order of their names. Nothing by which a code could be made. */
async function factors({ control, now }: FactorParts): Promise<APIGatewayProxyResult> {
  const enrolled = await control.list('factor');
  const states = new Map((await control.list('totp')).map(({ id, data }) => [id, data]));
  return jsonResponse(200, {
    factors: enrolled.map(({ id, data }) => {
      const lockedMs = totpLockedForMs(states.get(id), now());
      return {
        identity: id,
        enrolledAt: new Date(data.enrolledAtMs).toISOString(),
        enrolledBy: data.enrolledBy,
        recoveryCodesLeft: data.recoveryCodes.length,
        failures: states.get(id)?.failures ?? 0,
        ...(lockedMs === 0 ? {} : { lockedUntil: new Date(now() + lockedMs).toISOString() }),
        driftSeconds: totpStepSeconds * (states.get(id)?.driftSteps ?? 0),
      };
    }),
  });
}

async function enroll(
  event: APIGatewayProxyEvent,
  identity: string,
  by: string,
  { control, journal, now, randomBytes }: FactorParts,
): Promise<APIGatewayProxyResult> {
  const wanted = enrollRequest.safeParse(jsonIn(event));
  if (!wanted.success) return errorResponse(400, 'bad-request', 'the body is empty or {"replace": true}');
  const enrolment = await enrollTotp({
    control,
    identity,
    by,
    nowMs: now(),
    randomBytes,
    replace: wanted.data.replace,
    record: async (what) => {
      await journal.record(enrollFactor(by, now(), { identity, ...what }));
    },
  });
  switch (enrolment.kind) {
    case 'present':
      return errorResponse(
        409,
        'enrolled-already',
        'this identity has a second factor; send {"replace": true} to make another one good in its place',
      );
    case 'raced':
      return errorResponse(409, 'changed', 'somebody else changed this factor at the same time; try again');
    case 'enrolled': {
      const { secret, uri, recoveryCodes } = enrolment;
      return jsonResponse(200, { identity, secret, uri, recoveryCodes });
    }
  }
}

async function remove(
  event: APIGatewayProxyEvent,
  identity: string,
  by: string,
  { control, journal, now }: FactorParts,
): Promise<APIGatewayProxyResult> {
  const wanted = removeRequest.safeParse(jsonIn(event));
  if (!wanted.success)
    return errorResponse(
      400,
      'bad-request',
      `the body is empty or {"reason": "at most ${maxReason} characters"}`,
    );
  const removed = await removeTotp(control, identity, async () => {
    await journal.record(removeFactor(by, now(), { identity, reason: wanted.data.reason }));
  });
  return removed
    ? jsonResponse(200, { identity, removed: true })
    : errorResponse(404, 'no-factor', 'this identity has no enrolled second factor');
}

function identityIn(event: APIGatewayProxyEvent): string | undefined {
  const identity = event.pathParameters?.['identity'] ?? '';
  return identityPattern.test(identity) ? identity : undefined;
}

/** What no schema takes where the body is too long or no JSON; an empty one is an empty object. */
function jsonIn(event: APIGatewayProxyEvent): unknown {
  const body = bodyOf(event);
  if (body.length === 0) return {};
  if (body.length > maxBodyBytes) return undefined;
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
}
