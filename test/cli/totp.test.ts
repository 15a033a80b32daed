import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { totpCode } from '#core/totp';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { sshtrail, sshtrailInTerminal } from '../support/command-line.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;

beforeAll(async () => {
  const keyLine = () => JSON.stringify(formatPublicKeyLine(generatePrivateKey('ed25519').publicKey));
  stack = await startStack({
    identities: [
      `  - { name: bob, keys: [${keyLine()}] }`,
      `  - { name: carol, keys: [${keyLine()}], totp: { secret: GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ } }`,
      `  - { name: deployer, type: service, keys: [${keyLine()}], sources: [192.0.2.1] }`,
    ].join('\n'),
  });
});

afterAll(async () => {
  await stack?.close();
});

async function totp(...args: readonly string[]) {
  const { code, stdout, stderr } = await sshtrail(['totp', ...args, '--data', stack.data.root]);
  return { code, stdout: stdout.toString(), stderr };
}

async function statusOf(name: string): Promise<Record<string, unknown>> {
  return JSON.parse((await totp('status', name, '--json')).stdout)[0];
}

describe('sshtrail totp', () => {
  test('enrolls once, shows everything once, and keeps no code that can be read', async () => {
    expect(await statusOf('bob')).toMatchObject({ factor: 'none', recoveryCodesLeft: 0 });

    const { code, stdout, stderr } = await totp('enroll', 'bob');

    expect(code, stderr).toBe(0);
    expect(stdout + stderr).not.toContain('\u001b');
    expect(stderr).toContain('it does not count yet');
    expect(stderr).toContain('sshtrail totp enroll bob --code CODE');
    const [uri = '', blank, ...codes] = stdout.trimEnd().split('\n');
    const secret = new URL(uri).searchParams.get('secret') ?? '';
    expect(uri).toMatch(/^otpauth:\/\/totp\/sshtrail:bob\?/);
    expect([blank, codes.length]).toEqual(['', 10]);
    expect(await statusOf('bob')).toMatchObject({
      factor: 'unconfirmed',
      confirmBefore: expect.stringMatching(/Z$/),
    });
    const recovery = await totp('enroll', 'bob', '--code', codes[0] ?? '');
    expect(recovery).toMatchObject({ code: 1, stdout: '' });
    expect(recovery.stderr).toContain('a code is six digits');
    expect(await stack.running.control.get('factor', 'bob')).toBeUndefined();
    const confirmed = await totp('enroll', 'bob', '--code', totpCode(secret, Date.now()));
    expect(confirmed).toMatchObject({ code: 0, stdout: 'bob has a second factor that counts from now on\n' });
    expect((await totp('code', 'bob')).stdout.trim()).toMatch(/^\d{6}$/);
    expect([totpCode(secret, Date.now()), totpCode(secret, Date.now() - 30_000)]).toContain(
      (await totp('code', 'bob')).stdout.trim(),
    );
    expect(await statusOf('bob')).toMatchObject({ factor: 'enrolled', recoveryCodesLeft: 10, failures: 0 });
    const kept = readFileSync(stack.data.control, 'latin1');
    for (const each of codes) expect(kept).not.toContain(each.replaceAll('-', ''));
    const again = await totp('enroll', 'bob');
    expect(again).toMatchObject({ code: 1, stdout: '' });
    expect(again.stderr).toContain('--replace');
  });

  test('replaces what was lost: neither the old codes nor what they vouched for count', async () => {
    const { control } = stack.running;
    const proof = { identity: 'bob', keyFingerprint: 'SHA256:x', sourceIp: '192.0.2.1', method: 'totp' };
    await control.put('proof', 'bob SHA256:x 192.0.2.1', { ...proof, atMs: Date.now() }, { kind: 'any' });
    const before = (await control.get('factor', 'bob'))?.data;

    expect((await totp('enroll', 'bob', '--replace', '--no-confirm')).code).toBe(0);

    const after = (await control.get('factor', 'bob'))?.data;
    expect(after?.secret).not.toBe(before?.secret);
    expect(after?.recoveryCodes.filter((hash) => before?.recoveryCodes.includes(hash))).toEqual([]);
    expect(await control.list('proof')).toEqual([]);
  });

  test('removes it, and tells who did what', async () => {
    expect((await totp('remove', 'bob', '--reason', 'lost the phone')).code).toBe(0);
    expect(await statusOf('bob')).toMatchObject({ factor: 'none' });
    expect((await totp('remove', 'bob')).stderr).toContain('has no second factor');

    const events = await stack.eventually(
      "SELECT event_name, request FROM events WHERE event_name IN ('EnrollFactor', 'ConfirmFactor', 'RemoveFactor') ORDER BY event_time",
    );
    expect(events.map((row) => row['event_name'])).toEqual([
      'EnrollFactor',
      'ConfirmFactor',
      'ConfirmFactor',
      'EnrollFactor',
      'RemoveFactor',
    ]);
    expect(JSON.stringify(events[4])).toContain('lost the phone');
    expect(JSON.stringify(events)).not.toMatch(/secret|otpauth/);
  });

  test.each([
    [['bob', '--code', '123456'], 'begin again: sshtrail totp enroll bob'],
    [['bob', '--code', '123456', '--replace'], 'leave --replace and --no-confirm'],
    [['bob', '--code', '123456', '--no-confirm'], 'leave --replace and --no-confirm'],
    [['carol', '--code', '123456'], 'from sshtrail.yaml'],
  ])('confirms nothing by %j', async (args, message) => {
    const refused = await totp('enroll', ...args);

    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(message);
  });

  test.each([
    ['nobody', 'there is no identity'],
    ['deployer', 'is a service'],
    ['carol', 'from sshtrail.yaml'],
  ])('does not enroll %s', async (name, message) => {
    const refused = await totp('enroll', name);

    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(message);
    expect(await stack.running.control.get('factor', name)).toBeUndefined();
  });

  test('tells the status of everybody who could be asked', async () => {
    const all: readonly Record<string, unknown>[] = JSON.parse((await totp('status', '--json')).stdout);

    expect(all.map(({ identity, factor }) => [identity, factor])).toEqual([
      ['engineer', 'none'],
      ['bob', 'none'],
      ['carol', 'configured'],
    ]);
    expect((await totp('status')).stdout).toContain('carol');
    expect((await totp('remove', 'carol')).stderr).toContain('sshtrail.yaml');
  });
});

describe('sshtrail totp enroll at a terminal', () => {
  const prompt = 'Code of the app: ';
  const enrollBob = (...keys: Parameters<typeof sshtrailInTerminal>[1][number]['keys'][]) =>
    sshtrailInTerminal(
      ['totp', 'enroll', 'bob', '--data', stack.data.root],
      keys.map((each) => ({ prompt, keys: each })),
    );
  const secretIn = (shown: string) => /[?&]secret=([A-Z2-7]+)/.exec(shown)?.[1] ?? '';

  test.each([
    ['Ctrl-C', '\u0003'],
    ['the end of input', '\u0004'],
  ])('is given up by %s, and then nothing counts', async (_what, key) => {
    const { code, shown } = await enrollBob('nonsense\r', key);

    expect(code).toBe(1);
    expect(shown).toContain('a code is six digits');
    expect(shown).toMatch(/\nsshtrail: no code was given; --code CODE gives one without a question\r\n$/);
    expect(await statusOf('bob')).toMatchObject({ factor: 'unconfirmed', recoveryCodesLeft: 0 });
  });

  test('asks until the code is right, shows what is typed, and then it counts', async () => {
    const right = (shown: string) => `${totpCode(secretIn(shown), Date.now())}\r`;
    const old = (shown: string) => `${totpCode(secretIn(shown), Date.now() - 300_000)}\r`;

    const { code, shown } = await enrollBob(old, right);

    expect(code, shown).toBe(0);
    expect(shown).toContain('that is not the code');
    expect(shown).toContain(`\u001b[30;107m${' '.repeat(8)}`);
    expect(shown).toMatch(/Code of the app: \S*\d{6}\r+\n/);
    expect(shown).toMatch(/bob has a second factor that counts from now on\r\n$/);
    expect(await statusOf('bob')).toMatchObject({ factor: 'enrolled', recoveryCodesLeft: 10, failures: 0 });
  });
});
