import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type ControlStore, type Journal, type Lock } from '#core/contract';
import { type LockAuthor, type Refusal, refuseLock, refuseUnlock } from '#core/event';
import {
  type LockTools,
  liftLock,
  lockIdPattern,
  maxLocks,
  maxMessageLength,
  newLockId,
  placeLock,
  readLockSelector,
} from '#core/lock';
import { bodyOf, errorResponse, jsonResponse } from '../shared/index.ts';
import type { AccessRules } from './access-rules.ts';
import {
  type AccessCaller,
  notAllowed,
  type Overseer,
  type OversightParts,
  overseerOf,
  provedCaller,
  revokedByLock,
  revokeRefusal,
} from './oversight.ts';

export type LockApiParts = OversightParts & {
  readonly journal: Journal;
  readonly randomBytes: (size: number) => Buffer;
};

const maxBodyBytes = 8 * 1024;
const maxForSeconds = 366 * 86_400;
/** An answer has at most 6 MB. */
const maxListed = 5_000;

const lockRequest = z.strictObject({
  selector: z.record(z.string().max(64), z.union([z.string().max(512), z.boolean()])),
  message: z.string().min(1).max(maxMessageLength),
  forSeconds: z.int().min(1).max(maxForSeconds).optional(),
});

/** Oldest first. */
export async function listLocks({
  control,
}: {
  readonly control: ControlStore;
}): Promise<APIGatewayProxyResult> {
  const items = await control.list('lock');
  const locks = items.map(({ data }) => data).sort((one, other) => one.createdAtMs - other.createdAtMs);
  const listed: readonly Lock[] = locks.slice(0, maxListed);
  return jsonResponse(200, { locks: listed, truncated: listed.length < locks.length });
}

/** As `sshtrail lock` does, where policy lets the caller end what it would end. The gateways end whom it fits within a second or two. */
export async function addLock(
  event: APIGatewayProxyEvent,
  caller: AccessCaller,
  parts: LockApiParts,
): Promise<APIGatewayProxyResult> {
  const wanted = requestIn(event);
  if (wanted === undefined)
    return errorResponse(
      400,
      'bad-request',
      `the body is {"selector": {...}, "message": "at most ${maxMessageLength} characters", "forSeconds": 3600}; without forSeconds it holds until it is lifted`,
    );
  const read = readLockSelector(wanted.selector);
  if (!read.ok) return errorResponse(400, read.reason, read.message);
  const rules = await parts.rules();
  const wish = {
    lockId: newLockId(parts.randomBytes),
    selector: read.selector,
    message: rules.redact(wanted.message),
    forMs: wanted.forSeconds === undefined ? undefined : wanted.forSeconds * 1000,
  };
  const overseer = overseerOf(event, caller, parts);
  const refused = await refusalFor(overseer, wish, rules, parts);
  if (refused !== undefined) {
    await parts.journal.record(refuseLock(authorOf(overseer), parts.now(), wish, refused));
    return notAllowed(refused);
  }
  const placed = await placeLock(wish, authorOf(overseer), toolsOf(parts));
  if (placed.kind === 'too-many-locks')
    return errorResponse(409, 'too-many-locks', `there are ${maxLocks} locks already; lift some first`);
  return jsonResponse(201, placed.lock);
}

/** As `sshtrail unlock` does: it takes the right to make such a lock. */
export async function removeLock(
  event: APIGatewayProxyEvent,
  caller: AccessCaller,
  parts: LockApiParts,
): Promise<APIGatewayProxyResult> {
  const lockId = event.pathParameters?.['lockId'] ?? '';
  if (!lockIdPattern.test(lockId))
    return errorResponse(
      400,
      'bad-lock-id',
      `a lock id is l- and 32 hex digits; GET ${apiRoutes.locks} lists them`,
    );
  const lock = (await parts.control.get('lock', lockId))?.data;
  if (lock === undefined) return jsonResponse(200, { lockId, state: 'not-there' });
  const overseer = overseerOf(event, caller, parts);
  const refused = await refusalFor(overseer, lock, await parts.rules(), parts);
  if (refused !== undefined) {
    await parts.journal.record(refuseUnlock(authorOf(overseer), parts.now(), lock, refused));
    return notAllowed(refused);
  }
  const lifted = await liftLock(lockId, authorOf(overseer), toolsOf(parts));
  return jsonResponse(200, { lockId, state: lifted === undefined ? 'not-there' : 'lifted' });
}

async function refusalFor(
  overseer: Overseer,
  { selector }: Pick<Lock, 'selector'>,
  rules: AccessRules,
  parts: LockApiParts,
): Promise<Refusal | undefined> {
  return revokeRefusal(overseer, await revokedByLock(selector, rules, parts), rules, parts);
}

function authorOf(overseer: Overseer): LockAuthor {
  return { kind: 'caller', caller: provedCaller(overseer) };
}

function toolsOf({ control, journal, now }: LockApiParts): LockTools {
  return { control, now, record: (draft) => journal.record(draft) };
}

/** Undefined where the body is of another form. */
function requestIn(event: APIGatewayProxyEvent): z.output<typeof lockRequest> | undefined {
  const body = bodyOf(event);
  if (body.length > maxBodyBytes) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(body.toString('utf8'));
  } catch {
    return undefined;
  }
  const parsed = lockRequest.safeParse(json);
  return parsed.success && parsed.data.message.trim() !== '' ? parsed.data : undefined;
}
