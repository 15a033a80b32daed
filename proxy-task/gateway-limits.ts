import type { Configuration } from '#core/configuration';
import type { AccessSettings, GatewaySettings } from './gateway-parts.ts';

/** Algorithms and limits as a configuration file has them. Where several processes share the port, each counts for itself. */
export function limitsOf(
  gateway: Omit<
    Configuration['gateway'],
    'listen' | 'proxyId' | 'eventSource' | 'region' | 'account' | 'workers' | 'proxyProtocol'
  >,
) {
  return {
    algorithms: gateway.algorithms,
    loginGraceMs: gateway.loginGraceSeconds * 1000,
    mfaGraceMs: gateway.mfaGraceSeconds * 1000,
    maxAuthAttempts: gateway.maxAuthAttempts,
    maxKeyOffers: gateway.maxKeyOffers,
    maxBytesBeforeKeys: gateway.maxBytesBeforeKeys,
    maxNoiseBeforeKeys: gateway.maxNoiseBeforeKeys,
    maxSessions: gateway.maxSessions,
    maxConnectionsPerSource: gateway.maxConnectionsPerSource,
    maxStartsPerSourcePerMinute: gateway.maxStartsPerSourcePerMinute,
    maxStartups: gateway.maxStartups,
    maxChannelsPerConnection: gateway.maxChannelsPerConnection,
    maxForwards: gateway.maxForwards,
    maxUnansweredRequests: gateway.maxUnansweredRequests,
    maxUnansweredChannelRequests: gateway.maxUnansweredChannelRequests,
    maxBacklogBytes: gateway.maxBacklogBytes,
    writeStallMs: gateway.writeStallSeconds * 1000,
    keepalive: {
      intervalMs: gateway.keepalive.seconds * 1000,
      maxUnanswered: gateway.keepalive.maxUnanswered,
    },
    controlUnreadable: {
      afterMs: gateway.control.unreadableSeconds * 1000,
      sessions: gateway.control.onUnreadable,
    },
    rekeyBytes: gateway.rekeyBytes,
    rekeyIntervalMs: gateway.rekeySeconds * 1000,
    ...(gateway.banner === undefined ? {} : { banner: gateway.banner }),
  } satisfies Partial<GatewaySettings>;
}

/** What an engineer's connection may cost. */
export function engineerTransportLimits(settings: GatewaySettings) {
  return {
    bytesBeforeReady: settings.maxBytesBeforeKeys,
    noiseBeforeReady: settings.maxNoiseBeforeKeys,
    ...targetTransportLimits(settings),
  };
}

/** What any connection of a session may cost. */
export function targetTransportLimits(settings: GatewaySettings) {
  return {
    rekeyBytes: settings.rekeyBytes,
    rekeyIntervalMs: settings.rekeyIntervalMs,
    backlogLimitBytes: settings.maxBacklogBytes,
    writeStallMs: settings.writeStallMs,
  };
}

/** What a session's channels and requests may cost. */
export function relayLimits(settings: GatewaySettings) {
  return {
    maxChannels: settings.maxChannelsPerConnection,
    maxForwards: settings.maxForwards,
    maxPendingRequests: settings.maxUnansweredRequests,
    maxPendingChannelRequests: settings.maxUnansweredChannelRequests,
  };
}

/** Whether the sides of a session are asked if they are there. */
export function keepaliveOf({ keepalive }: GatewaySettings) {
  return keepalive.intervalMs === 0 ? {} : { keepalive };
}

export function accessSettings({
  waitSeconds,
  requestSeconds,
  grantSeconds,
}: Configuration['access']): AccessSettings {
  return {
    waitMs: waitSeconds * 1000,
    requestMs: requestSeconds * 1000,
    grantMs: grantSeconds * 1000,
  };
}
