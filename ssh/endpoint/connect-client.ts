import { modernAlgorithms } from '../algorithms/index.ts';
import { authenticateToTarget, type ClientCredential } from '../authentication/index.ts';
import type { AlgorithmPreferences, ByteLink, HostKeyVerdict, Transport } from '../transport/contract.ts';
import { createTransport } from '../transport/index.ts';
import { createEndpoint, type Endpoint, type EndpointHandlers } from './endpoint.ts';

export type ConnectClientOptions = {
  readonly link: ByteLink;
  readonly user: string;
  readonly credentials: readonly ClientCredential[];
  /** Judges the host key, whose signature has been verified (RFC 4253 §8). */
  readonly verifyHostKey: (blob: Buffer, algorithm: string) => HostKeyVerdict;
  readonly algorithms?: AlgorithmPreferences;
  readonly handlers?: EndpointHandlers;
  readonly onBanner?: (text: string) => void;
  readonly timeoutMs?: number;
};

/**
 * An SSH client in one step: key exchange, login, and our end of the connection protocol.
 *
 * @throws TransportError where no transport came about, AuthenticationError where the login was refused.
 */
export async function connectClient(
  options: ConnectClientOptions,
): Promise<{ readonly transport: Transport; readonly endpoint: Endpoint }> {
  const transport = createTransport(options.link, {
    role: 'client',
    softwareVersion: 'sshtrail',
    algorithms: options.algorithms ?? modernAlgorithms,
    verifyHostKey: options.verifyHostKey,
  });
  const login = authenticateToTarget(transport, {
    user: options.user,
    credentials: options.credentials,
    timeoutMs: options.timeoutMs ?? 30_000,
    ...(options.onBanner === undefined ? {} : { onBanner: options.onBanner }),
  });
  await Promise.all([transport.ready, login]);
  return { transport, endpoint: createEndpoint(transport, options.handlers) };
}
