export { createLockGuard, type EndOrder, type Lockable, type LockGuard } from './lock-guard.ts';
export { lockableSession, lockFactsOf } from './lockable-session.ts';
