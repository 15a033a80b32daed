import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createConsoleNotifier } from '../../../../adapters/local/index.ts';
import type { Notice } from '../../../../core/contract/index.ts';

async function line(notice: Partial<Notice>): Promise<string> {
  const lines: string[] = [];
  const notifier = createConsoleNotifier((text) => void lines.push(text));
  await notifier.notify({ severity: 'high', title: 'Root shell', text: 'alice on web-1', ...notice });
  expect(lines).toHaveLength(1);
  return lines.join('');
}

describe('createConsoleNotifier', () => {
  it('writes one line that says what, how bad and where from', async () => {
    expect(await line({})).toBe('[high] Root shell: alice on web-1');
    expect(await line({ runbookId: 'SSH-002', findingKey: 's-1' })).toBe(
      '[high] Root shell: alice on web-1 (runbook SSH-002, finding s-1)',
    );
  });

  it('shows escape sequences, line breaks and reordering marks instead of sending them', async () => {
    const shown = await line({ text: 'a\u001b[2J\r\n[info] all well \u202Eevil\u2028\u0085' });

    expect(shown).toBe(
      '[high] Root shell: a\\u{1b}[2J\\u{d} | [info] all well \\u{202e}evil\\u{2028}\\u{85}',
    );
  });

  it('writes one line of bounded length without controls, whatever the notice holds', async () => {
    const hostile = fc.string({ unit: 'binary', maxLength: 3000 });
    await fc.assert(
      fc.asyncProperty(hostile, hostile, hostile, hostile, async (title, text, runbookId, findingKey) => {
        const shown = await line({ title, text, runbookId, findingKey });

        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        expect(shown.length).toBeLessThan(9 * 2600);
      }),
      { numRuns: 30 },
    );
  });
});
