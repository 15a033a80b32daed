import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';

let stack: Stack;
let askpass: string;
const otherKey = generatePrivateKey('ed25519');
let otherFile: string;

const policy = `
@id("work") permit (principal in Group::"engineers", action, resource in HostGroup::"env=test");
@id("idle") @idle_timeout("2s") permit (principal in Group::"engineers", action, resource in HostGroup::"env=idle");
@id("short") @max_duration("2s") permit (principal in Group::"engineers", action, resource in HostGroup::"env=short");
@id("few") @max_sessions("1") permit (principal in Group::"engineers", action, resource in HostGroup::"env=few");
@id("why") @require_reason("true") permit (principal in Group::"engineers", action, resource in HostGroup::"env=why");
@id("ticket") permit (principal in Group::"engineers", action, resource in HostGroup::"env=ticket");
@id("no-ticket") forbid (principal, action, resource in HostGroup::"env=ticket") unless { context.reason like "INC-*" };
`;

beforeAll(async () => {
  stack = await startStack({
    policy,
    identities: `  - name: other
    groups: [engineers]
    keys: [${JSON.stringify(formatPublicKeyLine(otherKey.publicKey))}]`,
    extraTargets: ({ target }) =>
      ['idle-1', 'short-1', 'few-1', 'why-1', 'web-why', 'ticket-1'].map((name) => ({
        ...target,
        name,
        labels: { env: name.replace(/^web-|-1$/g, '') },
      })),
  });
  askpass = join(stack.folder, 'askpass');
  writeFileSync(askpass, '#!/bin/sh\nprintf "%s\\n" "$REASON"\n');
  chmodSync(askpass, 0o700);
  otherFile = join(stack.folder, 'id_other');
  writeFileSync(otherFile, formatPrivateKey(otherKey, 'other'), { mode: 0o600 });
});

afterAll(() => stack.close());

function start(
  target: string,
  command: string,
  flags: readonly string[] = [],
): ChildProcess & { readonly said: Promise<string> } {
  const child = spawn('ssh', [...flags, ...stack.sshOptions, stack.destination(target), command], {
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let text = '';
  child.stderr.on('data', (data: Buffer) => (text += data.toString()));
  return Object.assign(child, {
    said: new Promise<string>((resolve) => child.once('close', () => resolve(text))),
  });
}

async function ready(child: ChildProcess): Promise<void> {
  await new Promise((resolve) => child.stdout?.once('data', resolve));
}

describe('the rules of a session', () => {
  test('end one in which the engineer sends nothing, however much the target does', async () => {
    const child = start('idle-1', 'while :; do echo x; sleep 0.2; done');
    child.stdout?.resume();

    expect(await child.said).toContain('nothing came from you for 2 seconds');
    expect(await stack.eventually("SELECT target_name FROM events WHERE end_reason = 'IdleTimeout'")).toEqual(
      [{ target_name: 'idle-1' }],
    );
  });

  test('end one that has lasted as long as it may, however busy the engineer is', async () => {
    const child = start('short-1', 'cat');
    child.stdout?.resume();
    const typing = setInterval(() => child.stdin?.write('x\n'), 200);
    onTestFinished(() => clearInterval(typing));
    child.stdin?.on('error', () => undefined);

    expect(await child.said).toContain('the session has lasted 2 seconds');
    expect(
      await stack.eventually("SELECT target_name FROM events WHERE end_reason = 'DurationExceeded'"),
    ).toEqual([{ target_name: 'short-1' }]);
  });

  test('let an identity have no more at once than they say, and one again when another has ended', async () => {
    const first = start('few-1', 'echo in; cat');
    await ready(first);

    const second = await stack.ssh(['true'], { destination: stack.destination('few-1') });
    first.stdin?.end();
    await first.said;
    await noneLeft();
    const third = await stack.ssh(['true'], { destination: stack.destination('few-1') });

    expect(second.code).toBe(255);
    expect(second.stderr).toContain('policy allows you one session at once');
    expect(third.code).toBe(0);
    expect(
      await stack.eventually("SELECT deny_reason FROM events WHERE error_code = 'SessionLimitExceeded'"),
    ).toEqual([{ deny_reason: 'too-many-sessions-of-identity' }]);
  });
});

async function noneLeft(): Promise<void> {
  const deadline = Date.now() + 10_000;
  while ((await stack.running.control.list('session')).length > 0 && Date.now() < deadline) await sleep(20);
}

describe('a reason', () => {
  const withReason = (target: string, reason: string) =>
    stack.ssh(['echo in'], {
      destination: stack.destination(target),
      env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', REASON: reason },
    });

  test('is asked for by a stock client, and stands with the start of the session', async () => {
    const finished = await withReason('why-1', 'the queue is stuck');

    expect(finished.stdout.toString(), finished.stderr).toBe('in\n');
    const [start] = await stack.eventually(
      "SELECT request FROM events WHERE event_name = 'StartSession' AND target_name = 'why-1'",
    );
    expect(start?.['request']).toContain('the queue is stuck');
  });

  test('is asked for inside a jump as well, and by nobody on the way', async () => {
    const config = stack.writeJumpConfiguration(stack.running.gateway.address.port);
    const asked = join(stack.folder, 'asked');
    const counting = join(stack.folder, 'counting-askpass');
    writeFileSync(counting, `#!/bin/sh\necho x >> ${asked}\necho why\n`, { mode: 0o700 });

    const finished = await run(
      'ssh',
      ['-F', config, '-o', 'BatchMode=no', '-J', 'gateway', 'web-why', 'echo in'],
      { env: { SSH_ASKPASS: counting, SSH_ASKPASS_REQUIRE: 'force' } },
    );

    expect(finished.stdout.toString(), finished.stderr).toBe('in\n');
    expect(readFileSync(asked, 'utf8')).toBe('x\n');
  });

  test('is what a client that cannot ask is refused for the lack of', async () => {
    const finished = await stack.ssh(['-o', 'BatchMode=yes', 'true'], {
      destination: stack.destination('why-1'),
    });

    expect(finished.code).toBe(255);
  });

  test('is asked for where a policy reads it, and has to be one that it takes', async () => {
    const bad = await withReason('ticket-1', 'because');
    const good = await withReason('ticket-1', 'INC-7');

    expect(bad.code).toBe(255);
    expect(bad.stderr).toContain('no-ticket');
    expect(good.stdout.toString(), good.stderr).toBe('in\n');
    const [denied] = await stack.eventually(
      "SELECT request FROM events WHERE event_name = 'DenyAccess' AND target_name = 'ticket-1'",
    );
    expect(denied?.['request']).toContain('because');
  });

  test('is not asked for where no policy wants one', async () => {
    expect((await stack.ssh(['-o', 'BatchMode=yes', 'true'])).code).toBe(0);
  });
});

describe('policies that change', () => {
  test('judge running sessions at their next question, and a bad one changes nothing', async () => {
    const control = join(stack.folder, 'master');
    const master = spawn(
      'ssh',
      [...stack.sshOptions, '-M', '-S', control, stack.destination(), 'echo in; cat'],
      { stdio: ['pipe', 'pipe', 'ignore'] },
    );
    onTestFinished(() => void master.kill('SIGKILL'));
    await ready(master);
    const again = () => stack.ssh(['-S', control, 'echo again']);
    expect((await again()).stdout.toString()).toBe('again\n');

    writeFileSync(
      stack.data.policy,
      `${policy}\n@id("broken") forbid (principal, action, resource) when { context.nonsense };`,
    );
    await reported('cannot be used');
    const afterBad = await again();
    writeFileSync(
      stack.data.policy,
      `${policy}\n@id("no-exec") forbid (principal, action == Action::"exec", resource);`,
    );
    await reported('new policies are in force');
    const afterGood = await again();

    expect(afterBad.stdout.toString()).toBe('again\n');
    expect(afterGood.stdout.toString()).toBe('');
    expect(afterGood.code).not.toBe(0);
    expect(stack.reports.find((line) => line.includes('cannot be used'))).toMatch(
      /policy\.cedar:10:\d+ .*nonsense/,
    );
    const [put] = await stack.eventually(
      "SELECT request, response FROM events WHERE event_name = 'PutPolicy'",
    );
    expect(put?.['request']).toContain('"added":"no-exec"');
    expect(put?.['response']).toContain('previousSha256');
  });

  test('end the sessions that they would not let in, say why, and leave the others alone', async () => {
    const ended = start('web-1', '');
    const other = start('web-1', '', ['-i', otherFile]);
    for (const shell of [ended, other]) shell.stdin?.write('echo in\n');
    await Promise.all([ready(ended), ready(other)]);
    const before = stack.reports.length;

    writeFileSync(
      stack.data.policy,
      `${policy}\n@id("not-now") @advice("ask the lead")
forbid (principal == User::"engineer", action == Action::"connect", resource in HostGroup::"env=test");`,
    );
    await reported('new policies are in force', before);
    const inForceAtMs = Date.now();
    const said = await ended.said;
    const tookMs = Date.now() - inForceAtMs;
    const echo = new Promise((resolve) => other.stdout?.once('data', resolve));
    other.stdin?.write('echo still here\n');

    expect(said).toMatch(/the policies have changed: policy "not-now" forbids .*; ask the lead/);
    expect(tookMs).toBeLessThan(2_000);
    expect(String(await echo)).toBe('still here\n');
    expect(
      await stack.eventually(
        `SELECT e.user_name, json_extract_string(e.response, '$.policySha256') = json_extract_string(p.response, '$.policySha256') AS same
         FROM events e, events p WHERE e.end_reason = 'PolicyChanged' AND p.event_name = 'PutPolicy' AND p.request LIKE '%not-now%'`,
      ),
    ).toEqual([{ user_name: 'engineer', same: true }]);
    other.stdin?.end();
  });
});

async function reported(text: string, from = 0): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!stack.reports.slice(from).some((line) => line.includes(text))) {
    if (Date.now() > deadline) throw new Error(`nobody said "${text}": ${stack.reports.join('\n')}`);
    await sleep(20);
  }
}
