import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createFolderBlobStore } from '#adapters/local';
import { loadManifest, recordingBytes } from '#core/recording';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(() => stack?.close());

const secret = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';
const prompt = 'ready$ ';

/** An interactive bash on a terminal of the target, typed at as people do: after the prompt. */
async function session(lines: readonly string[]): Promise<void> {
  const shell = `env PS1='${prompt}' bash --norc --noprofile -i`;
  const child = spawn('ssh', [...stack.sshOptions, '-tt', stack.destination(), shell]);
  const closed = once(child, 'close');
  let shown = '';
  child.stdout.on('data', (data: Buffer) => {
    shown += data.toString();
  });
  for (const line of lines) {
    await shownAgain(child, () => shown);
    shown = '';
    for (const key of `${line}\r`) {
      child.stdin.write(key);
      await delay(2);
    }
  }
  await closed;
}

async function shownAgain(child: ChildProcessWithoutNullStreams, shown: () => string): Promise<void> {
  const deadline = Date.now() + 20_000;
  // The shell's second prompt ends so, too.
  while (
    !/[>$] $/.test(
      shown()
        .replaceAll(/\[\?2004h/g, '')
        .replaceAll('\u001b', ''),
    )
  ) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`no prompt came: ${shown()}`);
    await delay(20);
  }
}

test('what is typed at a shell is on record line by line, without its secrets, and in the recording too', async () => {
  await session([
    'echo first',
    `export GITHUB_TOKEN=${secret}`,
    'for word in one two',
    'do echo $word; done',
    'echo wrongX\x7f\x7f right',
    'exit',
  ]);

  await stack.eventually("SELECT 1 AS ended FROM events WHERE event_name = 'EndSession'");
  const events = await stack.query(
    "SELECT command FROM events WHERE event_name = 'ExecuteCommand' AND command_source = 'pty' ORDER BY event_time, chain_seq",
  );
  expect(events.map(({ command }) => command)).toEqual([
    'echo first',
    `export GITHUB_TOKEN=${'*'.repeat(secret.length)}`,
    'for word in one two\ndo echo $word; done',
    'echo wron right',
    'exit',
  ]);

  const store = createFolderBlobStore(stack.data.lake);
  const keys = (await Array.fromAsync(store.list('recordings/'))).map(({ key: name }) => name);
  const key = keys.find((name) => name.endsWith('/manifest.json')) ?? '';
  const manifest = await loadManifest(store, key);
  const cast = Buffer.concat(await Array.fromAsync(recordingBytes(store, key, manifest))).toString();
  expect(cast).not.toContain(secret);
  expect(manifest.redactions).toMatchObject({ 'github-token': expect.any(Number) });
  expect(manifest.markers?.map(({ label }) => label)).toContain('echo first');
}, 60_000);
