import { z } from 'zod';
import { serviceText } from '../athena/athena-fault.ts';
import { type AuditEventsCall, type AwsCredentials, signAuditEvents } from './sign-audit-events.ts';

/** What a call came to. `again`: another try may help. */
export type PutOutcome =
  | { readonly kind: 'answered'; readonly failed: readonly FailedEntry[] }
  | { readonly kind: 'again' | 'refused'; readonly code: string; readonly message: string };

export type FailedEntry = { readonly id: string; readonly errorCode: string; readonly errorMessage: string };

export type PutTools = {
  readonly credentials: () => Promise<AwsCredentials>;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
  /** For one call. */
  readonly timeoutMs: number;
};

const answer = z.object({
  failed: z
    .array(
      z.object({
        id: z.string(),
        errorCode: z.string(),
        errorMessage: z.string().default('').transform(serviceText),
      }),
    )
    .default([]),
});
const fault = z.object({
  __type: z.string().optional(),
  code: z.string().optional(),
  message: z.string().optional(),
  Message: z.string().optional(),
});

const mayPass = new Set([
  'ExpiredToken',
  'ExpiredTokenException',
  'InternalFailure',
  'RequestTimeout',
  'ServiceUnavailable',
  'Throttling',
  'ThrottlingException',
  'TooManyRequestsException',
]);

/** One signed call. A fault of the network is an outcome too; only credentials that cannot be had are an exception. */
export async function putAuditEvents(call: AuditEventsCall, tools: PutTools): Promise<PutOutcome> {
  const { url, headers } = await signAuditEvents(call, await tools.credentials(), tools.now());
  const signal = AbortSignal.timeout(tools.timeoutMs);
  let response: Response;
  let text: string;
  try {
    response = await tools.fetch(url, {
      method: 'POST',
      headers,
      body: call.body,
      redirect: 'error',
      signal,
    });
    text = await response.text();
  } catch (error) {
    return { kind: 'again', code: 'NetworkFault', message: networkText(error) };
  }
  const body = jsonOf(text);
  if (response.ok) {
    const parsed = answer.safeParse(body);
    if (parsed.success) return { kind: 'answered', failed: parsed.data.failed };
    return { kind: 'again', code: 'UnreadableAnswer', message: 'the answer is not one of PutAuditEvents' };
  }
  const parsed = fault.safeParse(body).data ?? {};
  const type = response.headers.get('x-amzn-errortype') ?? parsed.__type ?? parsed.code ?? '';
  // `ChannelNotFound:http://internal...`, `com.amazonaws#ChannelNotFound`, and in some services with the word Exception behind.
  const code = (type.split(':')[0] ?? '').split('#').at(-1) || `HTTP ${response.status}`;
  const message = serviceText(parsed.message ?? parsed.Message ?? '');
  const again = mayPass.has(code) || response.status >= 500 || response.status === 429;
  return { kind: again ? 'again' : 'refused', code: code.replace(/Exception$/, ''), message };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function networkText(error: unknown): string {
  if (!(error instanceof Error)) return 'the connection failed';
  return serviceText(
    error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message,
  );
}
