import type { Notice, Notifier } from '#core/contract';
import { NotifierError } from './notifier-error.ts';
import { plainText } from './plain-text.ts';

export type WebhookOptions = {
  readonly url: string;
  readonly fetch: typeof fetch;
  readonly timeoutMs: number;
};

/**
 * POSTs each notice as JSON: severity, title, text, runbookId, findingKey. Redirects are refused, so that a notice goes nowhere
 * but where the configuration says.
 * @throws NotifierError `invalid-url`; `notify` rejects with `unreachable`, `deadline`, `refused`
 */
export function createWebhookNotifier(options: WebhookOptions): Notifier {
  const url = webhookUrl(options.url);
  return { notify: (notice) => post(url, options, noticeJson(notice)) };
}

async function post(url: URL, options: WebhookOptions, body: string): Promise<void> {
  const signal = AbortSignal.timeout(options.timeoutMs);
  let response: Response;
  try {
    response = await options.fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'sshtrail' },
      body,
      redirect: 'error',
      signal,
    });
    await response.body?.cancel();
  } catch (cause) {
    if (signal.aborted)
      throw new NotifierError(
        'deadline',
        `the webhook at ${url.origin} did not answer within ${options.timeoutMs} ms; check the receiver`,
        { cause },
      );
    throw new NotifierError(
      'unreachable',
      `the webhook at ${url.origin} could not be reached; check its address and the network`,
      { cause },
    );
  }
  if (!response.ok)
    throw new NotifierError(
      'refused',
      `the webhook at ${url.origin} answered ${response.status}; check its address and what it accepts`,
    );
}

function webhookUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:') || url.username !== '')
    throw new NotifierError(
      'invalid-url',
      "the webhook's address is not an http or https URL without a user name; correct it in the configuration",
    );
  return url;
}

function noticeJson(notice: Notice): string {
  return JSON.stringify({
    severity: notice.severity,
    title: plainText(notice.title, 200),
    text: plainText(notice.text, 4000),
    ...(notice.runbookId === undefined ? {} : { runbookId: plainText(notice.runbookId, 100) }),
    ...(notice.findingKey === undefined ? {} : { findingKey: plainText(notice.findingKey, 500) }),
  });
}
