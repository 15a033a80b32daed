import { describe, expect, it } from 'vitest';
import type { AuditDraft } from '#core/contract';
import type { SessionFacts } from '#core/event';
import type { HeldVerdict } from '#ssh';
import { type CommandHold, createCommandHold } from '../../../proxy-task/channels/command-hold.ts';
import type { PendingRead } from '../../../proxy-task/recording/index.ts';

const facts: SessionFacts = {
  sessionId: 's-0123456789abcdef0123456789abcdef',
  identity: { name: 'alice', principalId: 'p-alice', type: 'LocalUser' },
  sourceIp: '192.0.2.7',
  sourcePort: 50_000,
  userAgent: 'SSH-2.0-OpenSSH_9.9',
  login: 'deploy',
  target: { name: 'web-1', host: '192.0.2.10', port: 22, labels: {} },
  authMethod: 'publickey',
  keyFingerprint: 'SHA256:abc',
  mfa: { verified: false, method: 'none' },
  authenticatedAtMs: 0,
  proxyId: 'gateway-1',
};

type Rig = {
  readonly hold: CommandHold;
  /** What happened, in order. */
  readonly log: string[];
  readonly drafts: AuditDraft[];
  /** Sends and says what becomes of it. */
  send(keys: string): { readonly pass: number | 'all'; readonly until: Promise<HeldVerdict> };
};

/** Whatever begins with `rm` is forbidden. `reads` are the answers of the recording thread, the last one again and again. */
function rig(
  reads: readonly (Partial<PendingRead['line']> & Partial<Omit<PendingRead, 'line'>>)[],
  options: { readonly judges?: boolean; readonly broken?: boolean } = {},
): Rig {
  const log: string[] = [];
  const drafts: AuditDraft[] = [];
  let asked = 0;
  const hold = createCommandHold(
    {
      facts,
      now: () => performance.now(),
      access: {
        judgesCommands: () => options.judges !== false,
        decide(action) {
          const command = 'command' in action ? action.command : '';
          log.push(`decide ${command}`);
          return command.startsWith('rm')
            ? { allowed: false, reason: 'forbidden-by-policy', policyIds: ['no-rm'], message: 'no rm here' }
            : { allowed: true, policyIds: ['all'] };
        },
      },
      async record(draft) {
        await Promise.resolve();
        drafts.push(draft);
        log.push('recorded');
      },
    },
    'c1',
    {
      input: (data) => log.push(`input ${JSON.stringify(Buffer.from(data).toString())}`),
      async pendingLine() {
        const { acceptKeys = [0], hidden, ...line } = reads[Math.min(asked, reads.length - 1)] ?? {};
        asked += 1;
        log.push('read');
        await Promise.resolve();
        if (options.broken === true) throw new Error('the recording thread has failed');
        return {
          acceptKeys,
          hidden: hidden ?? line.text ?? '',
          line: {
            text: '',
            below: '',
            prompt: '$ ',
            confidence: 'high',
            state: 'editing',
            echoed: true,
            typed: undefined,
            ...line,
          },
        };
      },
    },
    performance.now(),
  );
  return {
    hold,
    log,
    drafts,
    send(keys) {
      const verdict = hold.fromClient(Buffer.from(keys));
      if (verdict === 'pass') return { pass: 'all', until: Promise.resolve({ bytes: 0 }) };
      if (verdict === 'drop' || verdict.kind !== 'hold') throw new Error('nothing else was expected');
      return verdict;
    },
  };
}

describe('keys on their way to a terminal', () => {
  it('pass where policy says nothing of commands, and are not looked at', () => {
    const { send, log } = rig([{ text: 'rm x' }], { judges: false });

    expect(send('rm x\r').pass).toBe('all');
    expect(log).toEqual([]);
  });

  it('pass where none of them could accept a line', () => {
    expect(rig([]).send('rm x\t\x1b[A').pass).toBe('all');
  });

  it.each([
    ['a carriage return', '\r'],
    ['a line feed', '\n'],
    ['Ctrl-O', '\x0f'],
    ['Ctrl-D', '\x04'],
  ])('pass up to %s, which waits for the answer', async (_, key) => {
    const { send, log } = rig([{ text: 'ls' }]);

    const held = send(`ls${key}more${key}`);

    expect(held.pass).toBe(2);
    expect(await held.until).toEqual({ bytes: 1 });
    expect(log).toEqual(['read', 'decide ls']);
  });

  it('pass as far as the terminal says that they accept nothing', async () => {
    const pasted = rig([{ acceptKeys: [] }]);
    const partly = rig([{ acceptKeys: [4, 9] }]);

    expect(await pasted.send('a\rb\rc').until).toEqual({ bytes: 4 });
    expect(await partly.send('\rb\rc\r').until).toEqual({ bytes: 4 });
    expect([...pasted.log, ...partly.log]).toEqual(['read', 'read']);
  });
});

describe('a line that is forbidden', () => {
  it('is on record before Ctrl-C goes in place of its accept key, and says why', async () => {
    const { send, log, drafts } = rig([{ text: 'rm --token=abc', hidden: 'rm --token=***' }]);

    const verdict = await send('\r').until;

    expect(verdict).toEqual({
      bytes: 1,
      onward: Buffer.of(3),
      notice: `sshtrail: no rm here (session ${facts.sessionId})`,
    });
    expect(log).toEqual(['read', 'decide rm --token=abc', 'recorded', 'input "\\u0003"']);
    expect(drafts).toMatchObject([
      {
        eventName: 'ExecuteCommand',
        errorCode: 'AccessDenied',
        requestParameters: { command: 'rm --token=***', channelId: 'c1', pty: 'true' },
        additionalEventData: { commandSource: 'pty', confidence: 'high', denyReason: 'forbidden-by-policy' },
      },
    ]);
  });

  it('is one with the lines that a backslash joins', async () => {
    expect(await rig([{ text: 'rm \\\n' }]).send('\r').until).toHaveProperty('notice');
  });

  it('may be typed and not shown yet: then only what was shown is kept', async () => {
    const { send, drafts } = rig([{ text: '', typed: 'rm x', echoed: false, confidence: 'low' }]);

    expect(await send('\r').until).toHaveProperty('notice');
    expect(JSON.stringify(drafts)).not.toContain('rm x');
  });
});

describe('a line that is not shown yet', () => {
  it('is read again as soon as the target shows something', async () => {
    const { send, hold, log } = rig([
      { text: 'r', echoed: false, confidence: 'low' },
      { text: 'rm', echoed: true },
    ]);

    hold.typed();
    const held = send('\r');
    setTimeout(() => hold.shown(), 20);

    expect(await held.until).toHaveProperty('notice');
    expect(log.slice(0, 3)).toEqual(['read', 'read', 'decide rm']);
  });

  it('is judged as it stands when nothing comes, so that a password passes', async () => {
    const { send, hold, drafts } = rig([{ text: '', echoed: false, confidence: 'low', state: 'cooked' }]);
    hold.typed();

    expect(await send('\r').until).toEqual({ bytes: 1 });
    expect(drafts).toEqual([]);
  });

  it('holds what follows an accepted one until the target has answered', async () => {
    const { send, hold } = rig([{ text: 'ls' }]);
    await send('\r').until;

    const next = send('x');
    hold.shown();

    expect(next.pass).toBe(0);
    expect(await next.until).toEqual({ bytes: 0 });
    expect(send('x').pass).toBe('all');
  });
});

describe('a terminal that cannot be read', () => {
  it('has no line accepted, whatever it is, and each attempt is on record', async () => {
    const { send, hold, drafts } = rig([{ text: 'ls' }], { broken: true });

    const first = await send('\r').until;
    hold.shown();
    const backAtThePrompt = await send('\r').until;
    const second = await send('\r').until;

    expect(backAtThePrompt).toEqual({ bytes: 0 });
    expect([first, second]).toMatchObject([{ onward: Buffer.of(3) }, { onward: Buffer.of(3) }]);
    expect(drafts.map(({ additionalEventData }) => additionalEventData['denyReason'])).toEqual([
      'command-unreadable',
      'command-unreadable',
    ]);
  });

  it('is one that the target did not give, too', async () => {
    const { send, hold } = rig([{ text: 'ls' }]);
    hold.noTerminal();

    expect(await send('\r').until).toHaveProperty('onward');
  });
});

it('nothing waits once the channel is closed', async () => {
  const { send, hold } = rig([{ text: 'ls', echoed: false }]);
  hold.noteRoundTrip(400);
  hold.typed();
  const held = send('\r');

  hold.end();

  expect(await held.until).toEqual({ bytes: 1 });
});
