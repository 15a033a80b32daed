import type { AccessRequest } from '#core/contract';

/** 2026-11-20T10:15:30.412Z */
export const askedAtMs = 1_795_169_730_412;

/** Alice wants to be postgres on db-1 for an hour; one person has to approve it within an hour. */
export function request(changes: Partial<AccessRequest> = {}): AccessRequest {
  return {
    id: `r-${'0123456789abcdef'.repeat(2)}`,
    identity: 'alice',
    target: { name: 'db-1', host: 'db-1.example.com', port: 22, labels: { env: 'prod' } },
    login: 'postgres',
    actions: ['*'],
    reason: 'restore the index',
    askedAtMs,
    expiresAtMs: askedAtMs + 3_600_000,
    forMs: 3_600_000,
    needed: 1,
    state: 'waiting',
    approvals: [],
    breakGlass: false,
    ...changes,
  };
}
