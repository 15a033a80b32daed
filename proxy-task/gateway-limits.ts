import type { Configuration } from '#core/configuration';
import type { GatewaySettings } from './gateway-parts.ts';

/** Algorithms and limits as a configuration file has them. Where several processes share the port, each counts for itself. */
export function limitsOf(
  gateway: Omit<
    Configuration['gateway'],
    'listen' | 'proxyId' | 'eventSource' | 'region' | 'account' | 'workers'
  >,
) {
  return {
    algorithms: gateway.algorithms,
    loginGraceMs: gateway.loginGraceSeconds * 1000,
    maxAuthAttempts: gateway.maxAuthAttempts,
    maxSessions: gateway.maxSessions,
    maxConnectionsPerSource: gateway.maxConnectionsPerSource,
    maxStartsPerSourcePerMinute: gateway.maxStartsPerSourcePerMinute,
    maxStartups: gateway.maxStartups,
    keepalive: {
      intervalMs: gateway.keepalive.seconds * 1000,
      maxUnanswered: gateway.keepalive.maxUnanswered,
    },
    maxChannelsPerConnection: gateway.maxChannelsPerConnection,
    rekeyBytes: gateway.rekeyBytes,
    rekeyIntervalMs: gateway.rekeySeconds * 1000,
    ...(gateway.banner === undefined ? {} : { banner: gateway.banner }),
  } satisfies Partial<GatewaySettings>;
}

/** Whether the sides of a session are asked if they are there. */
export function keepaliveOf({ keepalive }: GatewaySettings) {
  return keepalive.intervalMs === 0 ? {} : { keepalive };
}
