import { createConsoleNotifier, createWebhookNotifier } from '#adapters/local';
import type { Configuration } from '#core/configuration';
import type { Notifier } from '#core/contract';

/** Where notices go: to the webhook of the configuration, else to whoever reads the gateway's lines. */
export function configuredNotifier(
  { notify }: Pick<Configuration, 'notify'>,
  report: (line: string) => void,
): Notifier {
  return notify.webhook === undefined
    ? createConsoleNotifier(report)
    : createWebhookNotifier({ url: notify.webhook, fetch, timeoutMs: 10_000 });
}
