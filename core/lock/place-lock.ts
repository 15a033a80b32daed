import { createHash } from 'node:crypto';
import type { AuditDraft, ControlStore, Lock, LockSelector } from '#core/contract';
import { createLock, deleteLock, type LockAuthor, nameOfAuthor } from '#core/event';

export const lockIdPattern: RegExp = /^l-[0-9a-f]{32}$/;
/** Of what the engineer is shown, in characters. */
export const maxMessageLength = 500;
/** Gateways keep every lock in memory, and so many are a mistake. */
export const maxLocks = 10_000;

export type LockTools = {
  readonly control: ControlStore;
  /** Resolves when the event is durable. */
  readonly record: (draft: AuditDraft) => Promise<unknown>;
  readonly now: () => number;
};

export type LockWish = {
  readonly lockId: string;
  readonly selector: LockSelector;
  readonly message: string;
  /** Absent: until somebody removes it. */
  readonly forMs?: number | undefined;
};

export type Placed =
  | { readonly kind: 'placed'; readonly lock: Lock }
  /** The same wish was granted before. */
  | { readonly kind: 'already'; readonly lock: Lock }
  | { readonly kind: 'too-many-locks' };

export function newLockId(randomBytes: (size: number) => Buffer): string {
  return `l-${randomBytes(16).toString('hex')}`;
}

/** The same for the same words, so that whoever asks again asks for the same lock. */
export function lockIdFor(...words: readonly string[]): string {
  const hash = createHash('sha256').update(JSON.stringify(words)).digest('hex');
  return `l-${hash.slice(0, 32)}`;
}

/**
 * Puts a lock on record and then into the store, from where the gateways take it. Where it cannot be stored after all, that is on
 * record, too.
 */
export async function placeLock(wish: LockWish, author: LockAuthor, tools: LockTools): Promise<Placed> {
  const { control, record, now } = tools;
  const present = await control.list('lock');
  const same = present.find(({ id }) => id === wish.lockId);
  if (same !== undefined) return { kind: 'already', lock: same.data };
  if (present.length >= maxLocks) return { kind: 'too-many-locks' };
  const createdAtMs = now();
  const lock: Lock = {
    lockId: wish.lockId,
    selector: wish.selector,
    message: wish.message.slice(0, maxMessageLength),
    author: nameOfAuthor(author),
    createdAtMs,
    ...(wish.forMs === undefined ? {} : { expiresAtMs: createdAtMs + wish.forMs }),
  };
  await record(createLock(author, createdAtMs, lock));
  try {
    const version = await control.put('lock', lock.lockId, lock, { kind: 'absent' }, lock.expiresAtMs);
    return { kind: version === undefined ? 'already' : 'placed', lock };
  } catch (error) {
    await record(deleteLock(author, now(), lock, 'it could not be stored'));
    throw error;
  }
}

/** Removes a lock, on record before; undefined where there is none of that id. */
export async function liftLock(
  lockId: string,
  author: LockAuthor,
  { control, record, now }: LockTools,
): Promise<Lock | undefined> {
  const item = await control.get('lock', lockId);
  if (item === undefined) return undefined;
  await record(deleteLock(author, now(), item.data));
  await control.delete('lock', lockId);
  return item.data;
}
