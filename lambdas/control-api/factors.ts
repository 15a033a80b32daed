import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type ControlStore, type Journal } from '#core/contract';
import { confirmFactor, enrollFactor, removeFactor } from '#core/event';
import { compileRules, redactText } from '#core/redaction';
import { confirmTotp, enrollTotp, removeTotp, totpLockedForMs } from '#core/totp';
import { apiIdentity, bodyOf, errorResponse, jsonResponse } from '../shared/index.ts';

export type FactorParts = {
  readonly control: ControlStore;
  readonly journal: Journal;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Uint8Array;
};

const maxBodyBytes = 8 * 1024;
const maxReason = 500;
const maxCode = 64;
const totpStepSeconds = 30;
/** As the configuration and IAM's names allow them. */
const identityPattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,128}$/;

const methods: Readonly<Record<string, string>> = {
  [apiRoutes.factors]: 'GET',
  [apiRoutes.enrollFactor]: 'POST',
  [apiRoutes.removeFactor]: 'POST',
};
const enrollRequest = z.union([
  z.strictObject({ replace: z.boolean().default(false), confirm: z.boolean().default(true) }),
  z.strictObject({ code: z.string().max(maxCode) }),
]);
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
  const enrolled = new Map((await control.list('factor')).map(({ id, data }) => [id, data]));
  const waiting = new Map((await control.list('enrolment')).map(({ id, data }) => [id, data]));
  const states = new Map((await control.list('totp')).map(({ id, data }) => [id, data]));
  return jsonResponse(200, {
    factors: [...new Set([...enrolled.keys(), ...waiting.keys()])].toSorted().map((id) => {
      const [factor, enrolment, state] = [enrolled.get(id), waiting.get(id), states.get(id)];
      const lockedMs = totpLockedForMs(state, now());
      return {
        identity: id,
        factor: factor === undefined ? 'unconfirmed' : 'enrolled',
        ...(factor === undefined
          ? {}
          : { enrolledAt: isoTime(factor.enrolledAtMs), enrolledBy: factor.enrolledBy }),
        ...(enrolment === undefined ? {} : { confirmBefore: isoTime(enrolment.expiresAtMs) }),
        recoveryCodesLeft: factor?.recoveryCodes.length ?? 0,
        failures: state?.failures ?? 0,
        ...(lockedMs === 0 ? {} : { lockedUntil: isoTime(now() + lockedMs) }),
        driftSeconds: totpStepSeconds * (state?.driftSteps ?? 0),
      };
    }),
  });
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}

async function enroll(
  event: APIGatewayProxyEvent,
  identity: string,
  by: string,
  parts: FactorParts,
): Promise<APIGatewayProxyResult> {
  const { control, journal, now, randomBytes } = parts;
  const wanted = enrollRequest.safeParse(jsonIn(event));
  if (!wanted.success)
    return errorResponse(
      400,
      'bad-request',
      'the body is empty, {"replace": true}, {"confirm": false} or both, or {"code": "123456"} for what was enrolled before',
    );
  if ('code' in wanted.data) return confirm(identity, by, wanted.data.code, parts);
  const enrolment = await enrollTotp({
    control,
    identity,
    by,
    nowMs: now(),
    randomBytes,
    ...wanted.data,
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
      const { secret, uri, recoveryCodes, confirmBeforeMs } = enrolment;
      return jsonResponse(200, {
        identity,
        secret,
        uri,
        recoveryCodes,
        ...(confirmBeforeMs === undefined ? {} : { confirmBefore: isoTime(confirmBeforeMs) }),
      });
    }
  }
}

async function confirm(
  identity: string,
  by: string,
  code: string,
  { control, journal, now }: FactorParts,
): Promise<APIGatewayProxyResult> {
  const confirmation = await confirmTotp({
    control,
    identity,
    code,
    nowMs: now(),
    record: async (outcome) => {
      await journal.record(confirmFactor(by, now(), { identity, ...outcome }));
    },
  });
  switch (confirmation.kind) {
    case 'confirmed':
      return jsonResponse(200, { identity, confirmed: true });
    case 'nothing-waits':
      return errorResponse(
        404,
        'nothing-waits',
        'nothing waits for a code, or it has waited too long; enrol again',
      );
    case 'refused':
      return errorResponse(
        400,
        'code-refused',
        `the code was refused (${confirmation.reason}); send the next one that the app shows`,
      );
    case 'locked': {
      const seconds = Math.ceil(confirmation.retryAfterMs / 1000);
      return errorResponse(429, 'too-many-codes', `too many wrong codes; try again in ${seconds} seconds`, {
        'retry-after': String(seconds),
      });
    }
    case 'present':
      return errorResponse(
        409,
        'enrolled-already',
        'somebody else gave this identity a second factor meanwhile',
      );
    case 'raced':
      return errorResponse(409, 'changed', 'somebody else changed this factor at the same time; try again');
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
    await journal.record(removeFactor(by, now(), { identity, reason: withoutSecrets(wanted.data.reason) }));
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

/** By the rules that every deployment has: this has to work while its own configuration cannot be read. */
function withoutSecrets(text: string): string {
  return redactText(text, compileRules({ defaults: true, rules: [] })).text;
}
