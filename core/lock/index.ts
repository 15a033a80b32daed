export { lockRefusal } from './lock-refusal.ts';
export { createLockRegister, type LockRegister } from './lock-register.ts';
export { describeSelector, readLockSelector } from './lock-selector.ts';
export { fits, type LockFacts } from './locks-against.ts';
export {
  type LockTools,
  type LockWish,
  liftLock,
  lockIdFor,
  lockIdPattern,
  maxLocks,
  maxMessageLength,
  newLockId,
  type Placed,
  placeLock,
} from './place-lock.ts';
