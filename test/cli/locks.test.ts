import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { userInfo } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { announceGateway } from '../../cli/gateway-process.ts';
import { sshtrail } from '../support/command-line.ts';
import { expectOneSentence } from '../support/one-sentence.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;

beforeAll(async () => {
  const keyLine = formatPublicKeyLine(generatePrivateKey('ed25519').publicKey);
  stack = await startStack({
    identities: `  - { name: newcomer, groups: [newcomers], keys: [${JSON.stringify(keyLine)}] }`,
    policy: [
      '@id("all") permit (principal in Group::"engineers", action, resource);',
      '@id("asked") permit (principal in Group::"newcomers", action, resource) when { context.approved };',
    ].join('\n'),
  });
  announceGateway(stack.data, {
    pid: process.pid,
    ...stack.running.gateway.address,
    startedAtMs: Date.now(),
  });
});

afterAll(async () => {
  await stack?.close();
});

const onData = (...args: readonly string[]) => sshtrail([...args, '--data', stack.data.root]);

describe('lock', () => {
  test('ends whom it fits, refuses them until it is lifted, and all of that is on record', async () => {
    const child = spawn('ssh', [...stack.sshOptions, stack.destination(), 'echo open; sleep 60'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    const closed = once(child, 'close');
    await expect.poll(() => output.join(''), { timeout: 10_000 }).toContain('open');

    const locked = await onData(
      'lock',
      '--identity',
      'engineer',
      '--message',
      'stolen laptop',
      '--for',
      '8h',
      '--json',
    );
    await closed;
    const refused = await stack.ssh(['true']);
    const { lockId, endedSessions, expiresAtMs, createdAtMs } = JSON.parse(locked.stdout.toString());
    const listed = await onData('locks');
    const lifted = await onData('unlock', lockId.slice(0, 12));
    const again = await stack.ssh(['echo in']);

    expect(locked.stderr).toBe('');
    expect([endedSessions, expiresAtMs - createdAtMs]).toEqual([1, 8 * 3_600_000]);
    expect(output.join('')).toContain(`stolen laptop (lock ${lockId})`);
    expect(refused.stderr).toContain(`stolen laptop (lock ${lockId})`);
    expect(listed.stdout.toString()).toMatch(
      new RegExp(`^${lockId} +identity engineer +stolen laptop +`, 'm'),
    );
    expect(lifted.stdout.toString()).toBe(`lifted ${lockId} (identity engineer)\n`);
    expect(again.stdout.toString()).toBe('in\n');
    const events = await stack.eventually(
      `SELECT event_name, user_name, json_extract_string(request, '$.subjectName') AS subject FROM events
       WHERE json_extract_string(request, '$.lockId') = '${lockId}' AND event_name LIKE '%Lock' ORDER BY chain_seq`,
    );
    const user_name = userInfo().username;
    expect(events).toEqual([
      { event_name: 'CreateLock', user_name, subject: 'engineer' },
      { event_name: 'DeleteLock', user_name, subject: 'engineer' },
    ]);
  });

  test('says where nobody has such a name, and holds all the same', async () => {
    const { stdout, stderr } = await onData('lock', '--identity', 'bbo', '--target', 'web-1', '--for', '1m');

    expect(stderr).toMatch(/^the configuration has no identity bbo;/);
    expect(stdout.toString()).toMatch(
      /^l-[0-9a-f]{32} locks identity bbo, target web-1 until .*; 0 sessions ended\n$/,
    );
  });

  test.each([
    ['nobody', [], 'one or more of --identity, --key'],
    ['everybody and one', ['--all', '--identity', 'bob'], 'all is everybody'],
    ['no range', ['--source', '192.0.2.7/24'], 'no address or range'],
    ['no message', ['--identity', 'bob', '--message', ' '], 'the message has 1 to 500 characters'],
  ])('of %s is refused', async (_, args, sentence) => {
    expectOneSentence(await onData('lock', ...args), sentence);
  });

  test('for no time is refused', async () => {
    const { code, stderr } = await onData('lock', '--all', '--for', '8 hours');

    expect(code).toBe(2);
    expect(stderr).toContain('such as 8h');
  });
});

describe('unlock', () => {
  test('of a lock that is not there is refused', async () => {
    expectOneSentence(await onData('unlock', 'l-ffffffffffff'), '"sshtrail locks" lists them');
  });

  test('of what may be several is refused', async () => {
    for (const name of ['one', 'two']) await onData('lock', '--identity', name, '--for', '1m');

    expectOneSentence(await onData('unlock', 'l-'), 'give more of the id');
  });
});

test('hides secrets in what people say for the record: in the store, the trail, notices and answers', async () => {
  const secret = 'ghp_16C7e42F292c6912E7710c838347Ae178B4a';
  const access = ['--target', 'web-1', '--login', 'root', '--as', 'newcomer'];

  const locked = await onData('lock', '--identity', 'bob', '--message', `he has ${secret}`, '--for', '1m');
  const asked = await onData('request', ...access, '--reason', `use ${secret}`, '--ticket', secret);
  const id = /r-[0-9a-f]{32}/.exec(asked.stdout.toString())?.[0] ?? '';
  const rejected = await onData('reject', id, '--as', 'engineer', '--reason', `not with ${secret}`);

  expect([locked.code, asked.code, rejected.code], asked.stderr + rejected.stderr).toEqual([0, 0, 0]);
  expect(asked.stderr).toContain('needs approval');
  const { control } = stack.running;
  const stored = JSON.stringify([await control.list('lock'), await control.list('request')]);
  const events = await stack.eventually(
    "SELECT event_name, request, response, additional FROM events WHERE event_name = 'RejectRequest'",
  );
  const earlier = await stack.query(
    "SELECT event_name, request, response, additional FROM events WHERE event_name IN ('CreateLock', 'RequestAccess')",
  );
  const shown = [locked, asked, rejected].map(({ stdout, stderr }) => stdout.toString() + stderr);
  for (const text of [stored, JSON.stringify([events, earlier]), ...shown])
    expect(text).not.toContain(secret);
  expect(stored).toMatch(/he has .*use .*not with /);
  expect(JSON.stringify([events, earlier])).toMatch(/not with .*/);
  expect([events.length, earlier.length >= 2]).toEqual([1, true]);
});
