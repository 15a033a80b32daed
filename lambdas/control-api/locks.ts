import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import { z } from 'zod';
import { apiRoutes, type ControlStore, type Journal, type Lock } from '#core/contract';
import type { ApiCall, LockAuthor } from '#core/event';
import type { IamCaller } from '#core/federation';
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

export type LockApiParts = {
  readonly control: ControlStore;
  readonly journal: Journal;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
};

/** Who calls, as IAM proved them. */
export type LockCaller = { readonly call: ApiCall; readonly caller: IamCaller };

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
export async function listLocks({ control }: LockApiParts): Promise<APIGatewayProxyResult> {
  const items = await control.list('lock');
  const locks = items.map(({ data }) => data).sort((one, other) => one.createdAtMs - other.createdAtMs);
  const listed: readonly Lock[] = locks.slice(0, maxListed);
  return jsonResponse(200, { locks: listed, truncated: listed.length < locks.length });
}

/** As `sshtrail lock` does. The gateways end whom it fits within a second or two. */
export async function addLock(
  event: APIGatewayProxyEvent,
  caller: LockCaller,
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
  const wish = {
    lockId: newLockId(parts.randomBytes),
    selector: read.selector,
    message: wanted.message,
    forMs: wanted.forSeconds === undefined ? undefined : wanted.forSeconds * 1000,
  };
  const placed = await placeLock(wish, authorOf(caller), toolsOf(parts));
  if (placed.kind === 'too-many-locks')
    return errorResponse(409, 'too-many-locks', `there are ${maxLocks} locks already; lift some first`);
  return jsonResponse(201, placed.lock);
}

/** As `sshtrail unlock` does. */
export async function removeLock(
  event: APIGatewayProxyEvent,
  caller: LockCaller,
  parts: LockApiParts,
): Promise<APIGatewayProxyResult> {
  const lockId = event.pathParameters?.['lockId'] ?? '';
  if (!lockIdPattern.test(lockId))
    return errorResponse(
      400,
      'bad-lock-id',
      `a lock id is l- and 32 hex digits; GET ${apiRoutes.locks} lists them`,
    );
  const lifted = await liftLock(lockId, authorOf(caller), toolsOf(parts));
  return jsonResponse(200, { lockId, state: lifted === undefined ? 'not-there' : 'lifted' });
}

function authorOf({ call, caller }: LockCaller): LockAuthor {
  return { kind: 'caller', caller: { ...call, identity: caller } };
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
