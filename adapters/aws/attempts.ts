import { setTimeout as delay } from 'node:timers/promises';

/**
 * What went wrong with a call to AWS. Only `throttled` and `unavailable` may pass by themselves; of those, a throttled call had
 * no effect, and what an unavailable one did is not known.
 */
export type AwsFaultKind = 'throttled' | 'unavailable' | 'denied' | 'credentials' | 'refused';

const throttled = new Set([
  'KMSThrottlingException',
  'ProvisionedThroughputExceededException',
  'RequestLimitExceeded',
  'RequestThrottled',
  'RequestThrottledException',
  'SlowDown',
  'ThrottledException',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
  'TooManyUpdates',
]);
const denied = new Set([
  'AccessDenied',
  'AccessDeniedException',
  // SNS and EC2 Instance Connect.
  'AuthException',
  'AuthorizationErrorException',
  'UnauthorizedOperation',
]);
const credentials = new Set([
  'CredentialsProviderError',
  'ExpiredToken',
  'ExpiredTokenException',
  'IncompleteSignatureException',
  'InvalidSignatureException',
  'MissingAuthenticationTokenException',
  'UnrecognizedClientException',
]);
const connection = new Set([
  'EAI_AGAIN',
  'ECONNABORTED',
  'ECONNREFUSED',
  'ECONNRESET',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_SOCKET',
]);

export function awsFaultKind(error: unknown): AwsFaultKind {
  const { name, code, status } = factsOf(error);
  if (throttled.has(name) || status === 429) return 'throttled';
  if (denied.has(name)) return 'denied';
  if (credentials.has(name)) return 'credentials';
  if (status !== undefined && status >= 500) return 'unavailable';
  if (connection.has(code) || name === 'AbortError' || name === 'TimeoutError') return 'unavailable';
  return 'refused';
}

/** The client may have called again by itself, so that an earlier call's effect is not known. */
export function wasRepeated(error: unknown): boolean {
  const metadata = isRecord(error) && isRecord(error['$metadata']) ? error['$metadata'] : {};
  return typeof metadata['attempts'] === 'number' && metadata['attempts'] > 1;
}

export type AttemptLimits = {
  /** No attempt begins after this time, nor takes longer. */
  readonly deadlineMs: number;
  /** For one attempt. */
  readonly attemptMs: number;
  /** Calls it all off: ends the attempt under way, and none begins after it. */
  readonly signal?: AbortSignal | undefined;
};

/**
 * Calls, and again while the fault may pass by itself and there is time; then throws the last fault as it came, or the signal's
 * reason where it was called off.
 */
export async function attempt<Result>(
  limits: AttemptLimits,
  call: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const { deadlineMs, attemptMs, signal } = limits;
  const deadline = performance.now() + deadlineMs;
  for (let failures = 0; ; failures += 1) {
    signal?.throwIfAborted();
    const left = deadline - performance.now();
    const timeout = AbortSignal.timeout(Math.max(1, Math.min(attemptMs, Math.ceil(left))));
    try {
      return await call(signal === undefined ? timeout : AbortSignal.any([timeout, signal]));
    } catch (error) {
      signal?.throwIfAborted();
      const kind = awsFaultKind(error);
      const pauseMs = Math.random() * Math.min(500, 50 * 2 ** failures);
      if (kind !== 'throttled' && kind !== 'unavailable') throw error;
      if (performance.now() + pauseMs >= deadline) throw error;
      await delay(pauseMs, undefined, signal === undefined ? {} : { signal });
    }
  }
}

function factsOf(error: unknown): {
  readonly name: string;
  readonly code: string;
  readonly status: number | undefined;
} {
  if (!isRecord(error)) return { name: '', code: '', status: undefined };
  const metadata = isRecord(error['$metadata']) ? error['$metadata'] : {};
  return {
    name: text(error['name']),
    code: text(error['code']),
    status: typeof metadata['httpStatusCode'] === 'number' ? metadata['httpStatusCode'] : undefined,
  };
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
