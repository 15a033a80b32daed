import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { LockSelector } from '#core/contract';
import { newLockId } from '#core/lock';
import { newTotpSecret } from '#core/totp';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';

const folder = mkdtempSync(join(tmpdir(), 'sshtrail-locks-'));
const bobKey = generatePrivateKey('ed25519');
const bobFile = join(folder, 'id_bob');
const authorityFile = join(folder, 'user_ca');
const askpass = join(folder, 'askpass');
const asked = join(folder, 'asked');
const state = { fails: false };
const running = new Set<ChildProcess>();
let stack: Stack;
let jumpConfig: string;

beforeAll(async () => {
  writeFileSync(bobFile, formatPrivateKey(bobKey, 'bob'), { mode: 0o600 });
  writeFileSync(askpass, `#!/bin/sh\ntouch ${asked}\necho 000000\n`);
  chmodSync(askpass, 0o700);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', authorityFile]);
  const authority = (await run('cat', [`${authorityFile}.pub`])).stdout.toString().trim();
  stack = await startStack({
    identities: [
      '  - name: bob',
      '    groups: [engineers]',
      `    keys: [${JSON.stringify(formatPublicKeyLine(bobKey.publicKey))}]`,
      `    totp: { secret: ${newTotpSecret((size) => Buffer.alloc(size, 7))} }`,
      '  - name: carol',
      '    groups: [engineers]',
    ].join('\n'),
    configuration: `trustedUserAuthorities: [${JSON.stringify(authority)}]`,
    extraTargets: ({ target }) => [{ ...target, name: 'web-2' }],
    parts: (parts) => ({
      ...parts,
      settings: { ...parts.settings, controlUnreadable: { afterMs: 4_000, sessions: 'end' } },
      control: {
        ...parts.control,
        list: (kind) =>
          state.fails && kind === 'lock'
            ? Promise.reject(new Error('the disk is gone'))
            : parts.control.list(kind),
      },
    }),
  });
  jumpConfig = stack.writeJumpConfiguration(stack.running.gateway.address.port);
});

afterEach(async () => {
  state.fails = false;
  for (const { id } of await stack.running.control.list('lock'))
    await stack.running.control.delete('lock', id);
  for (const child of running) await ended(child);
  running.clear();
});

afterAll(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

async function lock(selector: LockSelector, message = 'call the security desk'): Promise<string> {
  const lockId = newLockId(randomBytes);
  const data = { lockId, selector, message, author: 'operator', createdAtMs: Date.now() };
  await stack.running.control.put('lock', lockId, data, { kind: 'absent' });
  return lockId;
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}

/** A command that goes on, once its output has begun. */
async function open(args: readonly string[]) {
  const child = spawn('ssh', [...args, 'echo open; sleep 60'], { stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const closed = once(child, 'close').then(() => undefined);
  await expect.poll(() => output.join(''), { timeout: 10_000 }).toContain('open');
  return { child, closed, text: () => output.join('') };
}

const direct = (target = 'web-1') => [...stack.sshOptions, stack.destination(target)];

describe('a lock', () => {
  test.each<[string, () => LockSelector]>([
    ['an identity', () => ({ identity: 'engineer' })],
    ['a key', () => ({ keyFingerprint: stack.engineerKey.publicKey.fingerprint })],
    ['a target and a login', () => ({ target: 'web-1', login: stack.login })],
    ['a source', () => ({ source: '127.0.0.0/8' })],
  ])('of %s refuses at login, says why, and is named in the event', async (_, selector) => {
    const lockId = await lock(selector());
    // The gateway has to have heard of it.
    await expect
      .poll(async () => (await stack.ssh(['true'])).stderr, { timeout: 10_000 })
      .toMatch(new RegExp(`sshtrail: call the security desk \\(lock ${lockId}\\) \\(session s-`));

    const [denied] = await stack.eventually(
      `SELECT error_code, deny_reason, target_name FROM events WHERE event_name = 'DenyAccess'
       AND json_extract_string(additional, '$.lockId') = '${lockId}'`,
    );
    expect(denied).toEqual({ error_code: 'AccessDenied', deny_reason: 'locked', target_name: 'web-1' });
  });

  test('leaves others alone', async () => {
    await lock({ identity: 'bob' });
    await lock({ target: 'web-2' });
    await expect
      .poll(async () => (await stack.ssh(['true'], { destination: stack.destination('web-2') })).code, {
        timeout: 10_000,
      })
      .toBe(255);

    expect((await stack.ssh(['echo in'])).stdout.toString()).toBe('in\n');
  });

  test('ends a session at once with its message, on record with its author, and no other', async () => {
    const one = await open(direct('web-1'));
    const other = await open(direct('web-2'));

    const lockId = await lock({ identity: 'engineer', target: 'web-1' }, 'your laptop was reported stolen');
    await one.closed;

    expect(one.text()).toContain(`your laptop was reported stolen (lock ${lockId})`);
    expect(other.child.exitCode).toBeNull();
    const events = await stack.eventually(
      `SELECT event_name, user_name, end_reason, json_extract_string(response, '$.lockId') AS lock FROM events
       WHERE session_id IN (SELECT session_id FROM events WHERE json_extract_string(request, '$.lockId') = '${lockId}')
       AND event_name IN ('RevokeSession', 'EndSession') ORDER BY chain_seq`,
    );
    expect(events).toEqual([
      { event_name: 'RevokeSession', user_name: 'operator', end_reason: null, lock: null },
      { event_name: 'EndSession', user_name: 'engineer', end_reason: 'Locked', lock: lockId },
    ]);
  });

  test('ends what goes through a jump with its message, and the connection around it', async () => {
    const inner = await open(['-F', jumpConfig, '-J', 'gateway', 'web-1']);

    const lockId = await lock({ identity: 'engineer' });
    await inner.closed;

    expect(inner.text()).toContain(`call the security desk (lock ${lockId})`);
    const ends = await stack.eventually(
      `SELECT end_reason FROM events WHERE event_name = 'EndSession' AND json_extract_string(response, '$.lockId') = '${lockId}'`,
    );
    expect(ends).toEqual([{ end_reason: 'Locked' }]);
    const around = await stack.eventually(
      `SELECT response FROM events WHERE event_name = 'CloseJump' AND response LIKE '%${lockId}%'`,
    );
    expect(around).toHaveLength(1);
  });

  test('of a target is not gone round by a jump', async () => {
    const lockId = await lock({ target: 'web-1' });
    const jump = (target: string) => run('ssh', ['-F', jumpConfig, '-J', 'gateway', target, 'echo in']);

    await expect.poll(async () => (await jump('web-1')).stderr, { timeout: 10_000 }).toContain(lockId);

    expect((await jump('web-2')).stdout.toString()).toBe('in\n');
  });

  test('of a serial refuses one certificate and not the next', async () => {
    const asCertified = async (serial: string) => {
      const file = join(folder, `id_${serial}`);
      await run('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', file]);
      await run('ssh-keygen', [
        '-q',
        '-s',
        authorityFile,
        '-I',
        'x',
        '-n',
        'carol',
        '-z',
        serial,
        `${file}.pub`,
      ]);
      return [...optionsAs(file), '-o', `CertificateFile=${file}-cert.pub`, stack.destination()];
    };
    const [seventh, eighth] = [await asCertified('7'), await asCertified('8')];
    const session = await open(seventh);

    const lockId = await lock({ certificateSerial: '7' });
    await session.closed;

    expect(session.text()).toContain(lockId);
    expect((await run('ssh', [...seventh, 'true'])).stderr).toContain(lockId);
    expect((await run('ssh', [...eighth, 'echo in'])).stdout.toString()).toBe('in\n');
  });

  test('refuses before a code is asked for', async () => {
    const lockId = await lock({ identity: 'bob' });
    const asBob = () =>
      run('ssh', [...optionsAs(bobFile), stack.destination(), 'true'], {
        env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force' },
      });
    await expect.poll(async () => (await asBob()).stderr, { timeout: 10_000 }).toContain(lockId);
    rmSync(asked, { force: true });

    await asBob();

    expect((await run('ls', [asked])).code).not.toBe(0);
  });

  test('lets in again as soon as it is lifted', async () => {
    const lockId = await lock({ identity: 'engineer' });
    await expect.poll(async () => (await stack.ssh(['true'])).code, { timeout: 10_000 }).toBe(255);

    await stack.running.control.delete('lock', lockId);

    expect((await stack.ssh(['echo in'])).stdout.toString()).toBe('in\n');
  });
});

test('a control store that cannot be read takes no new session and ends the others, and both say why', async () => {
  const session = await open(direct());

  state.fails = true;
  await session.closed;
  const refused = await stack.ssh(['true']);

  expect(session.text()).toContain('can no longer read who is locked out');
  expect(refused.stderr).toContain('cannot read who is locked out, so it takes no new session');
  const [ended] = await stack.eventually(
    "SELECT end_reason FROM events WHERE end_reason = 'ControlUnavailable'",
  );
  expect(ended).toBeDefined();
  await stack.eventually("SELECT event_name FROM events WHERE deny_reason = 'control-unreadable'");
  state.fails = false;
  await expect.poll(async () => (await stack.ssh(['true'])).code, { timeout: 10_000 }).toBe(0);
});

/** The stack's options with the key of somebody else. */
function optionsAs(file: string): readonly string[] {
  return stack.sshOptions.map((option) =>
    option.startsWith('IdentityFile=') ? `IdentityFile=${file}` : option,
  );
}
