export { EndpointChannel } from './channel.ts';
export { type ConnectClientOptions, connectClient } from './connect-client.ts';
export { createEndpoint, type Endpoint, type EndpointHandlers, type OpenDecision } from './endpoint.ts';
