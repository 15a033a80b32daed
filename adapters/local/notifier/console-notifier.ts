import type { Notice, Notifier } from '#core/contract';
import { plainText } from './plain-text.ts';

/** One line a notice, without the line feed. */
export function createConsoleNotifier(write: (line: string) => void): Notifier {
  return {
    notify: async (notice) => write(noticeLine(notice)),
  };
}

function noticeLine(notice: Notice): string {
  const about = [
    notice.runbookId === undefined ? undefined : `runbook ${plainText(notice.runbookId, 100)}`,
    notice.findingKey === undefined ? undefined : `finding ${plainText(notice.findingKey, 200)}`,
  ].filter((part) => part !== undefined);
  const suffix = about.length === 0 ? '' : ` (${about.join(', ')})`;
  const text = plainText(notice.text.replaceAll('\n', ' | '), 2000);
  return `[${notice.severity}] ${plainText(notice.title, 200)}: ${text}${suffix}`;
}
