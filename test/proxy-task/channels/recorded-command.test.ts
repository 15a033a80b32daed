import { describe, expect, test } from 'vitest';
import { compileRules, redactText } from '#core/redaction';
import { recordedCommand } from '../../../proxy-task/channels/recorded-command.ts';

const rules = compileRules({ defaults: true, rules: [] });
const redact = (text: string) => redactText(text, rules).text;

describe('a command on record', () => {
  test('is what was sent where nothing is a secret, whatever bytes it has', () => {
    const sent = Buffer.from([0x6c, 0x73, 0x20, 0xff, 0xfe, 0x0a]);

    expect(recordedCommand(sent, redact)).toEqual({ command: sent, sentBytes: 6 });
  });

  test('has no secret, and says how long it was', () => {
    const sent = Buffer.from('mysql -u app -phunter2-and-more shop');

    const { command, sentBytes } = recordedCommand(sent, redact);

    expect(command.toString()).toMatch(/^mysql -u app -p\*+ shop$/);
    expect(sentBytes).toBe(sent.length);
  });

  test('is cut where it is long, before anything looks at it for a long time', () => {
    const sent = Buffer.from('://a:b@'.repeat(30_000));

    const { command, sentBytes } = recordedCommand(sent, redact);

    expect(command.length).toBeLessThanOrEqual(32 * 1024);
    expect(sentBytes).toBe(sent.length);
  });
});
