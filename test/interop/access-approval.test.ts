import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { AccessRequest, AuditRecord, Notice } from '#core/contract';
import { type AccessDecision, decideRequest, goodGrants } from '#core/grant';
import { newTotpSecret, totpCode } from '#core/totp';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { sshtrail } from '../support/command-line.ts';
import { type Stack, startStack } from '../support/stack.ts';

const folder = mkdtempSync(join(tmpdir(), 'sshtrail-approval-'));
const askpass = join(folder, 'askpass');
const secret = newTotpSecret((size) => Buffer.alloc(size, 9));
const aliceKey = generatePrivateKey('ed25519');
const aliceFile = join(folder, 'id_alice');
const settings = { waitMs: 20_000, requestMs: 60_000, grantMs: 60_000 };
const notices: Notice[] = [];
const records: AuditRecord[] = [];
let stack: Stack;

const policy = `
@id("approved") permit (principal in Group::"engineers", action in [Action::"session", Action::"forward"], resource in HostGroup::"env=test")
  when { context.approved };
@id("glass") permit (principal in Group::"engineers", action in Action::"session", resource in HostGroup::"env=glass")
  when { context.approved || context.breakGlass };
@id("two") permit (principal in Group::"engineers", action in Action::"session", resource in HostGroup::"env=pay")
  when { context.approvals >= 2 && context.mfa };
@id("leads") permit (principal in Group::"leads", action == Action::"approve", resource);
`;

beforeAll(async () => {
  writeFileSync(
    askpass,
    '#!/bin/sh\ncase "$1" in *"cation code"*) printf "%s\\n" "$CODE";; *) printf "%s\\n" "$REASON";; esac\n',
  );
  chmodSync(askpass, 0o700);
  writeFileSync(aliceFile, formatPrivateKey(aliceKey, 'alice'), { mode: 0o600 });
  const lead = (name: string) => [
    `  - name: ${name}`,
    '    groups: [leads]',
    `    keys: [${JSON.stringify(formatPublicKeyLine(generatePrivateKey('ed25519').publicKey))}]`,
  ];
  stack = await startStack({
    policy,
    identities: [
      '  - name: alice',
      '    groups: [engineers]',
      `    keys: [${JSON.stringify(formatPublicKeyLine(aliceKey.publicKey))}]`,
      `    totp: { secret: ${secret} }`,
      ...lead('bob'),
      ...lead('carol'),
    ].join('\n'),
    extraTargets: ({ target: web }) => [
      { ...web, name: 'glass-1', labels: { env: 'glass' } },
      { ...web, name: 'pay-1', labels: { env: 'pay' } },
    ],
    parts: (parts) => ({
      ...parts,
      settings: { ...parts.settings, access: settings },
      notifier: {
        notify: async (notice) => {
          notices.push(notice);
        },
      },
    }),
  });
  stack.running.journal.subscribe((record) => records.push(record));
});

afterAll(async () => {
  await stack?.close();
  rmSync(folder, { recursive: true, force: true });
});

beforeEach(() => {
  Object.assign(settings, { waitMs: 20_000, requestMs: 60_000, grantMs: 60_000 });
  notices.length = 0;
  records.length = 0;
});

afterEach(async () => {
  const { control } = stack.running;
  for (const kind of ['request', 'grant'] as const)
    for (const { id } of await control.list(kind)) await control.delete(kind, id);
});

/** A login by the stock client that answers by itself; still under way when this returns. */
function login(
  options: {
    readonly target?: string;
    readonly reason?: string;
    readonly command?: string;
    readonly alice?: boolean;
  } = {},
) {
  const asked = options.alice === true ? asAlice() : stack.sshOptions;
  return started([...asked, stack.destination(options.target), options.command ?? 'echo in'], {
    ...(options.reason === undefined ? {} : { REASON: options.reason }),
    ...(options.alice === true ? { CODE: totpCode(secret, Date.now()) } : {}),
  });
}

/** A stock client whose questions are answered. */
function started(args: readonly string[], answers: Readonly<Record<string, string>> = {}) {
  const child = spawn('ssh', args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      SSH_ASKPASS: askpass,
      SSH_ASKPASS_REQUIRE: 'force',
      REASON: 'restore the index',
      CODE: '',
      ...answers,
    },
  });
  const said = { out: '', error: '' };
  child.stdout.on('data', (chunk: Buffer) => {
    said.out += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    said.error += chunk.toString();
  });
  const done = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { said, done, stop: () => child.kill('SIGTERM') };
}

/** A login that may ask nothing. */
const batch = (...args: string[]) => stack.ssh(['-o', 'BatchMode=yes', ...args]);

async function waitingRequest(): Promise<AccessRequest> {
  const find = async () =>
    (await stack.running.control.list('request')).find(({ data }) => data.state === 'waiting');
  await expect.poll(find, { timeout: 10_000, interval: 20 }).toBeDefined();
  const item = await find();
  if (item === undefined) throw new Error('the request is gone');
  return item.data;
}

function decide(kind: AccessDecision['kind'], by: string, id: string) {
  const { control, journal } = stack.running;
  return decideRequest(
    { control, now: Date.now, record: async (draft) => void (await journal.record(draft)) },
    { kind: 'hand', identity: { name: by, principalId: by, type: 'LocalUser' }, account: 'operator' },
    id,
    { kind, by, reason: 'as agreed' },
    async () => undefined,
  );
}

const grants = () =>
  goodGrants(
    { control: stack.running.control, now: Date.now },
    { identity: 'engineer', target: 'web-1', login: stack.login },
  );
const named = (name: string) => records.filter(({ eventName }) => eventName === name);

/** The stack's options with alice's key. */
function asAlice(): readonly string[] {
  return stack.sshOptions.map((option) =>
    option.startsWith('IdentityFile=') ? `IdentityFile=${aliceFile}` : option,
  );
}

describe('a login that needs approval', () => {
  test('waits, is approved from another process, and goes on', async () => {
    const { said, done } = login();
    const { id, identity, login: account, target, reason } = await waitingRequest();
    await expect.poll(() => said.error, { timeout: 10_000 }).toContain(`sshtrail approve ${id}`);
    const before = await stack.running.control.list('session');

    const approved = await sshtrail(['approve', id.slice(0, 12), '--as', 'bob', '--data', stack.data.root]);
    const code = await done;

    expect(approved.code, approved.stderr).toBe(0);
    expect(approved.stdout.toString()).toContain(`${id} (engineer as ${account} on web-1): approved until`);
    expect([code, said.out]).toEqual([0, 'in\n']);
    expect(said.error).toContain('approved by bob until');
    expect({ identity, target: target.name, reason }).toEqual({
      identity: 'engineer',
      target: 'web-1',
      reason: 'restore the index',
    });
    expect(before).toEqual([]);
    expect(named('RequestAccess')[0]).toMatchObject({
      userIdentity: { userName: 'engineer' },
      requestParameters: { requestId: id, reason: 'restore the index', target: 'web-1' },
    });
    expect(named('StartSession')[0]).toMatchObject({
      additionalEventData: { accessRequestId: id, breakGlass: 'false', policyId: 'approved' },
    });
    expect(notices).toMatchObject([
      { severity: 'medium', text: expect.stringContaining(`sshtrail approve ${id}`) },
    ]);
    const [event] = await stack.eventually(
      "SELECT user_name FROM events WHERE event_name = 'ApproveRequest' AND error_code IS NULL",
    );
    expect(event).toEqual({ user_name: 'bob' });
  });

  test('ends with the reason when it is rejected', async () => {
    const { said, done } = login();
    const { id } = await waitingRequest();

    await decide('reject', 'bob', id);

    expect(await done).toBe(255);
    expect(said.error).toContain(`${id} was rejected by bob: as agreed`);
    expect(said.out).toBe('');
    expect(named('DenyAccess')[0]).toMatchObject({
      errorCode: 'AccessDenied',
      userIdentity: { userName: 'engineer' },
      additionalEventData: { denyReason: 'request-rejected' },
    });
  });

  test('is not approved by who asked, who may take it back', async () => {
    const { said, done } = login();
    const { id } = await waitingRequest();
    const own = ['--as', 'engineer', '--data', stack.data.root];

    const approved = await sshtrail(['approve', id, ...own]);
    const stillWaiting = (await waitingRequest()).approvals;
    const cancelled = await sshtrail(['cancel', id, ...own]);

    expect([approved.code, cancelled.code]).toEqual([1, 0]);
    expect(approved.stderr).toContain('your own request');
    expect(stillWaiting).toEqual([]);
    expect(await done).toBe(255);
    expect(said.error).toContain(`${id} was cancelled`);
  });

  test('is not approved by whom policy does not let', async () => {
    const { done, stop } = login();
    const { id } = await waitingRequest();

    const approved = await sshtrail(['approve', id, '--as', 'alice', '--data', stack.data.root]);

    expect(approved.code).toBe(1);
    expect(approved.stderr).toContain('no policy allows that alice approves access');
    expect((await waitingRequest()).approvals).toEqual([]);
    stop();
    await done;
  });

  test('that has waited long enough ends, and the next one waits for the same request', async () => {
    settings.waitMs = 1_000;
    const first = login();
    const { id } = await waitingRequest();
    expect(await first.done).toBe(255);
    settings.waitMs = 20_000;

    const second = login();
    await expect.poll(() => second.said.error, { timeout: 10_000 }).toContain(`sshtrail approve ${id}`);
    await decide('approve', 'bob', id);

    expect(first.said.error).toContain(`${id} still waits for approval`);
    expect([await second.done, second.said.out]).toEqual([0, 'in\n']);
    expect(second.said.error).not.toContain('Say why');
    expect(named('RequestAccess')).toHaveLength(1);
  });

  test('ends when nobody decides in time, which is on record', async () => {
    settings.requestMs = 1_000;
    const { said, done } = login();

    expect(await done).toBe(255);
    expect(said.error).toContain('nobody decided on');
    expect(named('ExpireRequest')).toHaveLength(1);
  });

  test('is refused without a word where the client can be asked nothing', async () => {
    const finished = await batch('true');

    expect(finished.code).toBe(255);
    expect(await stack.running.control.list('request')).toEqual([]);
    await expect
      .poll(() => named('AuthenticateUser'), { timeout: 10_000 })
      .toMatchObject([
        {
          errorCode: 'AuthenticationFailed',
          userIdentity: { userName: 'engineer' },
          requestParameters: { target: 'web-1' },
          additionalEventData: { denyReason: 'question-unanswered' },
        },
      ]);
  });

  test('needs a reason', async () => {
    const { said, done } = login({ reason: '   ' });

    expect(await done).toBe(255);
    expect(said.error).toContain('a reason has 1 to 500 characters');
    expect(await stack.running.control.list('request')).toEqual([]);
  });

  test('by a hostile reason moves no cursor of whoever reads it', async () => {
    const { done, stop } = login({ reason: 'help \u001b[2J\u202eroot' });

    const { reason } = await waitingRequest();

    expect(reason).toBe('help \\u{1b}[2J\\u{202e}root');
    stop();
    await done;
  });

  test('asks for the code first, and waits for as many people as policy wants', async () => {
    const { said, done } = login({ target: 'pay-1', alice: true });
    const { id, needed } = await waitingRequest();
    await decide('approve', 'bob', id);
    const afterOne = await stack.running.control.list('grant');

    await decide('approve', 'carol', id);

    expect([await done, said.out]).toEqual([0, 'in\n']);
    expect(needed).toBe(2);
    expect(afterOne).toEqual([]);
    expect(said.error).toContain('approved by bob and carol');
    expect(named('StartSession')[0]?.additionalEventData).toMatchObject({ mfaMethod: 'totp' });
  });
});

test('a login inside ssh -J waits as well, and the connection around it is asked nothing', async () => {
  const file = stack.writeJumpConfiguration(stack.running.gateway.address.port);
  const { said, done } = started(['-F', file, '-o', 'BatchMode=no', '-J', 'gateway', 'web-1', 'echo in']);
  const { id, target } = await waitingRequest();

  await decide('approve', 'bob', id);

  expect([await done, said.out], said.error).toEqual([0, 'in\n']);
  expect(target.name).toBe('web-1');
  expect(named('RequestAccess')).toHaveLength(1);
});

describe('a grant', () => {
  async function granted(): Promise<string> {
    const { done } = login({ command: 'true' });
    const { id } = await waitingRequest();
    await decide('approve', 'bob', id);
    expect(await done).toBe(0);
    return id;
  }

  test('lets in again, asking nothing, until it is over; a session that runs then ends', async () => {
    await granted();
    const again = await batch('echo again');
    const long = login({ command: 'echo began; sleep 60' });
    await expect.poll(() => long.said.out, { timeout: 20_000 }).toBe('began\n');

    const [grant] = await grants();
    if (grant === undefined) throw new Error('there is no grant');
    await stack.running.control.put('grant', grant.id, { ...grant, untilMs: Date.now() }, { kind: 'any' });
    const late = await batch('echo late');
    const code = await long.done;

    expect([again.code, again.stdout.toString()]).toEqual([0, 'again\n']);
    expect([late.code, late.stdout.toString()]).toEqual([255, '']);
    expect(code).not.toBe(0);
    expect(long.said.error).toContain('gave is over; ask for it again');
    await expect
      .poll(() => named('EndSession').at(-1)?.responseElements, { timeout: 10_000 })
      .toMatchObject({ endReason: 'PolicyWithdrawn' });
  });

  test('that was given back allows no channel of a session that had it', async () => {
    const id = await granted();
    const control = join(folder, 'mux');
    const shared = ['-o', `ControlPath=${control}`];
    const master = spawn(
      'ssh',
      [
        ...stack.sshOptions,
        ...shared,
        '-o',
        'ControlMaster=yes',
        '-o',
        'BatchMode=yes',
        '-N',
        stack.destination(),
      ],
      { stdio: 'ignore' },
    );
    const ended = new Promise((resolve) => master.once('close', resolve));
    await expect
      .poll(async () => (await stack.ssh([...shared, '-O', 'check'])).code, { timeout: 10_000 })
      .toBe(0);
    const before = await stack.ssh([...shared, 'echo before']);

    await decide('cancel', 'engineer', id);
    const after = await stack.ssh([...shared, 'echo after']);
    await ended;

    expect(before.stdout.toString()).toBe('before\n');
    expect(after.stdout.toString()).toBe('');
    expect(after.code).not.toBe(0);
    expect(await grants()).toEqual([]);
  });

  test('asked for beforehand lets a script in', async () => {
    const who = ['--data', stack.data.root];
    const asked = await sshtrail([
      'request',
      '--target',
      'web-1',
      '--login',
      stack.login,
      '--reason',
      'nightly copy',
      '--for',
      '2h',
      '--ticket',
      'INC-421',
      '--as',
      'engineer',
      '--json',
      ...who,
    ]);
    const { id, forMs, ticket } = JSON.parse(asked.stdout.toString());
    const listed = await sshtrail(['requests', ...who]);
    const approved = await sshtrail(['approve', id, '--as', 'carol', ...who]);

    const finished = await batch('echo script');

    expect(asked.code, asked.stderr).toBe(0);
    expect({ forMs, ticket }).toEqual({ forMs: 7_200_000, ticket: 'INC-421' });
    expect(asked.stderr).toContain(`sshtrail approve ${id}`);
    expect(listed.stdout.toString()).toMatch(new RegExp(`${id} +engineer .* waiting +0/1 .*nightly copy`));
    expect(approved.code, approved.stderr).toBe(0);
    expect(finished.stdout.toString(), finished.stderr).toBe('script\n');
  });

  test('is of no use to anybody else', async () => {
    await granted();

    const { done, stop } = login({ alice: true });
    const { identity } = await waitingRequest();

    expect(identity).toBe('alice');
    stop();
    await done;
  });
});

describe('break-glass', () => {
  test('lets in at once where policy says so, pages people, and waits to be looked at', async () => {
    const { said, done } = login({ target: 'glass-1', reason: 'break-glass: all is down' });

    expect([await done, said.out]).toEqual([0, 'in\n']);
    const [request] = await stack.running.control.list('request');
    expect(request?.data).toMatchObject({ breakGlass: true, reason: 'all is down' });
    expect(request?.data.review).toBeUndefined();
    expect(notices).toMatchObject([
      { severity: 'critical', title: expect.stringContaining('break-glass: engineer') },
    ]);
    expect(named('UseBreakGlass')).toMatchObject([
      { requestParameters: { reason: 'all is down', target: 'glass-1' } },
    ]);
    expect(named('StartSession')[0]?.additionalEventData).toMatchObject({ breakGlass: 'true' });

    const listed = await sshtrail(['requests', '--data', stack.data.root]);
    await decide('approve', 'bob', request?.id ?? '');
    expect(listed.stdout.toString()).toContain('break-glass, to be reviewed');
    expect((await stack.running.control.get('request', request?.id ?? ''))?.data.review).toMatchObject({
      by: 'bob',
    });
  });

  test('opens nothing where policy does not speak of it', async () => {
    const { said, done } = login({ reason: 'break-glass: all is down' });

    expect(await done).toBe(255);
    expect(said.error).toContain('policy lets nobody in here by break-glass');
    expect(await stack.running.control.list('grant')).toEqual([]);
    expect(notices).toEqual([]);
  });
});
