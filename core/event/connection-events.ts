import type { AuditDraft, ErrorCode } from '#core/contract';
import { draft } from './draft.ts';
import type { ProxyFacts } from './proxy-events.ts';

/** Why a connection was not taken, or ended before anybody tried to prove an identity; a closed list. */
export const connectionRefusals = [
  'starting-too-fast',
  'too-many-from-source',
  'too-many-unauthenticated',
  'login-timeout',
  'too-many-attempts',
  'limit-exceeded',
  'protocol-error',
  'proxy-header-missing',
  'proxy-header-malformed',
  'proxy-header-timeout',
] as const;
export type ConnectionRefusal = (typeof connectionRefusals)[number];

/** Refusals counted together: those of one source, or of all that have no count of their own. */
export type RefusedConnections = {
  /** The first of the source's addresses; undefined where many sources are counted together. */
  readonly sourceIp: string | undefined;
  readonly counts: readonly { readonly reason: ConnectionRefusal; readonly count: number }[];
  readonly sinceMs: number;
};

/** One event for many connections, so that who opens them cannot fill the journal. */
export function refuseConnections(proxy: ProxyFacts, atMs: number, what: RefusedConnections): AuditDraft {
  const byCount = what.counts.toSorted((a, b) => b.count - a.count);
  const [most] = byCount;
  const total = byCount.reduce((sum, { count }) => sum + count, 0);
  const connections = total === 1 ? 'a connection was' : `${total} connections were`;
  const reason = most?.reason ?? 'limit-exceeded';
  const actor = {
    userIdentity: { type: 'Unknown', principalId: 'unknown:', userName: '' },
    ...(what.sourceIp === undefined ? {} : { sourceIPAddress: what.sourceIp }),
    additional: { proxyId: proxy.proxyId, proxyVersion: proxy.version },
  } as const;
  return draft('RefuseConnection', atMs, actor, {
    request: {
      windowFrom: new Date(what.sinceMs).toISOString(),
      windowTo: new Date(atMs).toISOString(),
      manySources: what.sourceIp === undefined ? true : undefined,
    },
    response: {
      connections: total,
      reasons: byCount.map(({ reason: each, count }) => `${each}=${count}`).join(' '),
    },
    refusal: {
      errorCode: errorCodeOf(reason),
      denyReason: reason,
      message: `${connections} refused; see denyReason, and the limits under gateway in sshtrail.yaml where they were meant well`,
    },
  });
}

function errorCodeOf(reason: ConnectionRefusal): ErrorCode {
  switch (reason) {
    case 'starting-too-fast':
    case 'too-many-from-source':
    case 'too-many-unauthenticated':
    case 'limit-exceeded':
      return 'SessionLimitExceeded';
    case 'login-timeout':
    case 'too-many-attempts':
      return 'AuthenticationFailed';
    case 'protocol-error':
    case 'proxy-header-missing':
    case 'proxy-header-malformed':
    case 'proxy-header-timeout':
      return 'ProtocolError';
  }
}
