import { expireRequests } from '#core/grant';
import type { GatewayParts } from '../gateway-parts.ts';

const lookEveryMs = 30_000;

/** Puts it on record where nobody decided on a request in time. Every gateway looks; each request is said once. */
export function watchRequestExpiry(parts: GatewayParts, signal: AbortSignal): void {
  const { control, journal, now, report, settings } = parts;
  const desk = {
    control,
    now,
    record: async (draft: Parameters<typeof journal.record>[0]) => {
      await journal.record(draft);
    },
  };
  let looking = false;

  async function look(): Promise<void> {
    if (looking) return;
    looking = true;
    try {
      await expireRequests(desk, settings.proxyId);
    } catch (error) {
      if (!signal.aborted)
        report(
          `requests for access cannot be looked through: ${error instanceof Error ? error.message : 'unknown fault'}`,
        );
    } finally {
      looking = false;
    }
  }

  const timer = setInterval(() => void look(), lookEveryMs);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
