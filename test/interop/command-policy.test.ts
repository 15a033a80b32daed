import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RecorderError } from '#core/recording';
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
const secret = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';

/** Interactive shells without anybody's configuration. */
const shells = {
  bash: `env PS1='${prompt}' bash --norc --noprofile -i`,
  zsh: `env PS1='${prompt}' zsh -f -i`,
  fish: `fish --no-config --private -C 'function fish_prompt; printf "${prompt.replace('$', '\\$')}"; end'`,
  dash: `env PS1='${prompt}' dash -i`,
} as const;
type Shell = keyof typeof shells;
const names: readonly Shell[] = ['bash', 'zsh', 'fish', 'dash'];

const lines = { forbidden: 50, allowed: 200 };

let stack: Stack;
let pipe: Awaited<ReturnType<typeof startDelayingPipe>>;
const open = new Set<TypingSession>();

/** The terminals of some sessions cannot be read. */
function unreadable(parts: GatewayParts): GatewayParts {
  return {
    ...parts,
    recorder: {
      settled: () => parts.recorder.settled(),
      start(start) {
        const channel = parts.recorder.start(start);
        if (start.command?.includes('LOST=1') !== true) return channel;
        return {
          resize: (columns, rows) => channel.resize(columns, rows),
          marker: (label) => channel.marker(label),
          output: (data, stream) => channel.output(data, stream),
          input: (data) => channel.input(data),
          finish: (exit, putOnRecord) => channel.finish(exit, putOnRecord),
          pendingLine() {
            const error = new RecorderError('thread', 'planted in the thread');
            start.onFault(error);
            return Promise.reject(error);
          },
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
});

async function inFolder(typing: TypingSession): Promise<string> {
  const folder = mkdtempSync(join(stack.folder, 'run-'));
  await typing.type(`cd ${folder}\r`);
  await typing.prompt();
  return folder;
}

function written(folder: string, name: string): readonly string[] {
  const path = join(folder, name);
  return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [];
}

/** Waits until the file holds these lines, or ends with this one. */
async function writes(folder: string, name: string, wanted: string | readonly string[]): Promise<void> {
  const deadline = Date.now() + 20_000;
  const isThere = () =>
    typeof wanted === 'string'
      ? written(folder, name).at(-1) === wanted
      : written(folder, name).join('\n') === wanted.join('\n');
  while (!isThere() && Date.now() < deadline) await delay(20);
}

async function session(shell: Shell, target = 'web-1'): Promise<TypingSession> {
  const started = startTyping([...stack.sshOptions, '-tt', stack.destination(target), shells[shell]], prompt);
  open.add(started);
  await started.prompt();
  return started;
}

describe.concurrent.each([
  [0, 'web-1'],
  [60, 'far-1'],
])('at a round trip of %i ms', (_, target) => {
  test.each(names)(
    '%s runs what is allowed, unchanged, and nothing that is forbidden',
    async (shell) => {
      const typing = await session(shell, target);
      const folder = await inFolder(typing);
      const every = (lines.forbidden + lines.allowed) / lines.forbidden;
      const expected: string[] = [];
      let denied = 0;
      for (let line = 0; line < lines.forbidden + lines.allowed; line += 1) {
        const isForbidden = line % every < 1;
        const keys = isForbidden ? `touch ${line}\r` : `echo 'a ${line}' >> ran\r`;
        await (line % 2 === 0 ? typing.type(keys) : typing.paste(keys));
        if (isForbidden) {
          await typing.shows(/no-touch[^]*ask the team/);
          denied += 1;
        } else expected.push(`a ${line}`);
      }
      await typing.prompt();

      expect(denied).toBe(lines.forbidden);
      expect(readdirSync(folder)).toEqual(['ran']);
      expect(written(folder, 'ran')).toEqual(expected);
      await typing.close();
    },
    240_000,
  );
});

describe.concurrent.each(names)('in %s', (shell) => {
  test('a line that was recalled and edited is judged as it stands', async () => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.type('echo 1 >> ran; ouch x\r');
    // Up, left to the last command, and the letter that is missing.
    if (shell === 'dash') await typing.type('true; tuo\x7f\x7fouch x\r');
    else await typing.type(`\x1b[A${'\x1b[D'.repeat(6)}t\r`, 15);
    await typing.shows(/no-touch/);
    await typing.type('echo 2 >> ran\r');
    await typing.prompt();

    expect(readdirSync(folder)).toEqual(['ran']);
    expect(written(folder, 'ran')).toEqual(['1', '2']);
    await typing.close();
  }, 60_000);

  test('each line of a paste is judged when its turn comes, and Ctrl-J accepts one as well', async () => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.paste('echo 1 >> ran\rtouch x\recho 2 >> ran\necho 3 >> ran; touch y\necho 4 >> ran\r');
    await typing.shows(/no-touch[^]*no-touch/);
    await writes(folder, 'ran', '4');

    expect(readdirSync(folder)).toEqual(['ran']);
    expect(written(folder, 'ran')).toEqual(['1', '2', '4']);
    await typing.close();
  }, 60_000);

  test('a command of several lines is judged line by line', async () => {
    const typing = await session(shell);
    const folder = await inFolder(typing);
    const body = shell === 'fish' ? 'touch x' : 'do touch x';

    await typing.paste(`for i in 1 2\r${body}\r`);
    await typing.shows(/no-touch/);
    await typing.type('echo 1 >> ran\r');
    await writes(folder, 'ran', ['1']);

    expect(readdirSync(folder)).toEqual(['ran']);
    await typing.close();
  }, 60_000);

  test('what was typed ahead of a shell is judged, too', async () => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.paste('sleep 0.3; echo 1 >> ran\rtouch x\r');
    await typing.shows(/no-touch/);
    await typing.type('echo 2 >> ran\r');
    await writes(folder, 'ran', '2');

    expect(readdirSync(folder)).toEqual(['ran']);
    await typing.close();
  }, 60_000);

  test('what a program asks for without showing it is not judged, and not kept', async () => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.type(`sh -c 'stty -echo; printf "Password: "; read p; stty echo; echo "$p" > got'\r`);
    await typing.shows(/Password: $/);
    typing.send('touch hidden\r');
    await writes(folder, 'got', ['touch hidden']);
    await typing.prompt();

    expect(written(folder, 'got')).toEqual(['touch hidden']);

    await typing.close();
  }, 60_000);
});

test.concurrent.each(['bash', 'zsh'] as const)(
  '%s runs no line that a search of its history found',
  async (shell) => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.type('echo 1 >> ran; : touch\r');
    await typing.type('true touch x; echo 2 >> ran\r');
    await typing.type(': ; touch searched\r');
    await typing.shows(/no-touch/);
    await typing.type('echo 3 >> ran; : last\r');
    await typing.type('\x12searched');
    await typing.shows(/search/);
    typing.send('\r');
    await typing.shows(/ran|no-touch|\$ $/);
    await typing.prompt();

    expect(readdirSync(folder)).toEqual(['ran']);
    await typing.close();
  },
  60_000,
);

test.concurrent.each(['bash', 'zsh'] as const)(
  '%s does not run what Ctrl-O would accept',
  async (shell) => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.type('touch x\x0f');
    await typing.shows(/no-touch/);
    await typing.type('echo 1 >> ran\x0f');
    await writes(folder, 'ran', ['1']);

    expect(readdirSync(folder)).toEqual(['ran']);
    await typing.close();
  },
  60_000,
);

test.concurrent.each(['bash', 'zsh', 'fish'] as const)(
  '%s takes a marked paste as one',
  async (shell) => {
    const typing = await session(shell);
    const folder = await inFolder(typing);

    await typing.paste('\x1b[200~echo 1 >> ran\recho 2 >> ran\x1b[201~\r');
    await writes(folder, 'ran', ['1', '2']);
    await typing.paste('\x1b[200~echo 3 >> ran\rtouch x\x1b[201~\r');
    await typing.shows(/no-touch/);
    await typing.prompt();

    expect(readdirSync(folder)).toEqual(['ran']);
    expect(written(folder, 'ran')).toEqual(['1', '2']);
    await typing.close();
  },
  60_000,
);

test('a shell without a terminal is refused, since nobody could judge what it is given', async () => {
  const folder = mkdtempSync(join(stack.folder, 'run-'));
  const finished = await stack.ssh(['-T'], { stdin: `touch ${folder}/x\n` });

  expect(finished.code).toBe(126);
  expect(finished.stderr).toContain('use ssh -t');
  expect(readdirSync(folder)).toEqual([]);
});

test('where the terminal can no longer be read the session ends, or goes on without its commands', async () => {
  const lenient = await startStack({
    policy,
    parts: unreadable,
    configuration: 'recording: { onFailure: continue }',
  });
  const strict = await startStack({ policy, parts: unreadable });
  const shell = `env LOST=1 ${shells.bash.slice('env '.length)}`;
  const sessions = [lenient, strict].map((each) =>
    startTyping([...each.sshOptions, '-tt', each.destination(), shell], prompt),
  );
  const [goesOn, ends] = sessions;

  await goesOn?.type('touch x\r');
  await goesOn?.shows(/can no longer be read/);
  await goesOn?.type('echo 1\r');
  await goesOn?.shows(/can no longer be read/);
  await ends?.type('echo 1\r');
  const last = await ends?.shows(/the recording cannot be written, so the session ends/);

  expect(last).toContain('(session s-');

  for (const each of sessions) await each.close();
  await lenient.close();
  await strict.close();
}, 60_000);

test('a denial is on record with what was shown, its reason and nothing that was hidden', async () => {
  const typing = await session('bash');
  await typing.type(`touch /srv/x --token=${secret}\r`);
  await typing.shows(/no-touch/);
  await typing.type('exit\r');

  const rows = await stack.eventually(
    `SELECT command, error_code, command_source FROM events WHERE command LIKE 'touch /srv/x%'`,
  );
  expect(rows).toEqual([
    {
      command: `touch /srv/x --token=${'*'.repeat(secret.length)}`,
      error_code: 'AccessDenied',
      command_source: 'pty',
    },
  ]);
  const hidden = await stack.query(
    "SELECT count(*) AS found FROM events WHERE command LIKE '%touch hidden%' OR command LIKE '%forbidden%'",
  );
  expect(Number(hidden[0]?.['found'])).toBe(0);
});
