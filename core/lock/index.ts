export { lockRefusal } from './lock-refusal.ts';
export { createLockRegister } from './lock-register.ts';
export { describeSelector, readLockSelector } from './lock-selector.ts';
export { fits, type LockFacts, locksAgainst } from './locks-against.ts';
export {
  type LockTools,
  liftLock,
  lockIdFor,
  lockIdPattern,
  maxLocks,
  maxMessageLength,
  newLockId,
  placeLock,
} from './place-lock.ts';
