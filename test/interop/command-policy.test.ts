import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { GatewayParts } from '../../proxy-task/index.ts';
import { startDelayingPipe } from '../support/delaying-pipe.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { startTyping, type TypingSession } from '../support/typing-session.ts';

const policy = `
@id("all") permit (principal in Group::"engineers", action, resource);
@id("no-touch") @advice("ask the team") forbid (principal, action == Action::"command", resource)
  when { context has program && context.program == "touch" };
`;
const prompt = 'ready$ ';

/** Interactive shells without anybody's configuration. */
const shells = {
  bash: `env PS1='${prompt}' bash --norc --noprofile -i`,
  zsh: `env PS1='${prompt}' zsh -f -i`,
  fish: `fish --no-config --private -C 'function fish_prompt; printf "${prompt.replace('$', '\\$')}"; end'`,
  dash: `env PS1='${prompt}' dash -i`,
} as const;
type Shell = keyof typeof shells;
const names: readonly Shell[] = ['bash', 'zsh', 'fish', 'dash'];

const counts = {
  forbidden: Number(process.env['HOLD_FORBIDDEN'] ?? 10),
  allowed: Number(process.env['HOLD_ALLOWED'] ?? 40),
};

let stack: Stack;
let pipe: Awaited<ReturnType<typeof startDelayingPipe>>;
const open = new Set<TypingSession>();
const holds: number[] = [];

/** Notes how long each accept key was held. */
function timed(parts: GatewayParts): GatewayParts {
  return {
    ...parts,
    recorder: {
      start(start) {
        const channel = parts.recorder.start(start);
        let heldAt: number | undefined;
        return {
          resize: (columns, rows) => channel.resize(columns, rows),
          marker: (label) => channel.marker(label),
          output: (data, stream) => channel.output(data, stream),
          input(data) {
            if (heldAt !== undefined && data.includes(13)) holds.push(performance.now() - heldAt);
            heldAt = undefined;
            channel.input(data);
          },
          pendingLine(ahead) {
            heldAt ??= performance.now();
            return channel.pendingLine(ahead);
          },
          finish: (exit, putOnRecord) => channel.finish(exit, putOnRecord),
        };
      },
    },
  };
}

beforeAll(async () => {
  let port = 0;
  pipe = await startDelayingPipe(() => port, 30);
  stack = await startStack({
    policy,
    parts: timed,
    extraTargets({ target }) {
      port = target.port;
      return [{ ...target, name: 'far-1', port: pipe.port }];
    },
  });
});

afterAll(async () => {
  for (const session of open) await session.close();
  await pipe?.close();
  await stack?.close();
  const sorted = holds.toSorted((a, b) => a - b);
  const at = (q: number) => sorted[Math.floor(q * sorted.length)]?.toFixed(1);
  console.log(`holds ${sorted.length}: p50 ${at(0.5)} p90 ${at(0.9)} p99 ${at(0.99)} max ${at(0.9999)}`);
});

async function session(shell: Shell, target = 'web-1'): Promise<TypingSession> {
  const started = startTyping([...stack.sshOptions, '-tt', stack.destination(target), shells[shell]], prompt);
  open.add(started);
  await started.prompt();
  return started;
}

describe.each([
  [0, 'web-1'],
  [60, 'far-1'],
])('at a round trip of %i ms', (_, target) => {
  test.concurrent.each(names)(
    '%s runs what is allowed, unchanged, and nothing that is forbidden',
    async (shell) => {
      const folder = mkdtempSync(join(stack.folder, 'run-'));
      const typing = await session(shell, target);
      const expected: string[] = [];
      const every = (counts.allowed + counts.forbidden) / counts.forbidden;
      let denied = 0;
      for (let line = 0; line < counts.allowed + counts.forbidden; line += 1) {
        if (line % every < 1) {
          await typing.type(`touch ${folder}/forbidden-${line}\r`);
          expect(await typing.shows(/no-touch/)).toContain('ask the team');
          denied += 1;
        } else {
          await typing.type(`echo 'line ${line}' >> ${folder}/ran\r`);
          expected.push(`line ${line}`);
        }
      }
      await typing.prompt();

      expect(denied).toBe(counts.forbidden);
      expect(readdirSync(folder)).toEqual(['ran']);
      expect(readFileSync(join(folder, 'ran'), 'utf8').trimEnd().split('\n')).toEqual(expected);
        await typing.close();
    },
    300_000,
  );
});
