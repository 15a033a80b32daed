import { beforeEach, describe, expect, test } from 'vitest';
import type { AuditDraft, ControlStore, Target } from '#core/contract';
import type { Refusal } from '#core/event';
import { type AccessDecision, decideRequest } from '#core/grant';
import {
  type AccessApprovalOptions,
  accessApproval,
  type WantedApproval,
} from '../../../proxy-task/login/access-approval.ts';
import type { ProvenEngineer } from '../../../proxy-task/login/engineer-authenticator.ts';
import type { LoginDialogue } from '../../../proxy-task/login/login-question.ts';
import { askedAtMs } from '../../core/grant/sample-request.ts';
import { fakeNotifier, memoryControlStore } from '../../core/runbook/fakes.ts';

const target: Target = {
  name: 'db-1',
  host: '192.0.2.17',
  port: 22,
  labels: { env: 'prod' },
  hostTrust: { kind: 'pinned', keys: [] },
};
const alice: ProvenEngineer = {
  user: 'postgres@db-1',
  identity: { name: 'alice', principalId: 'alice', type: 'person', groups: ['engineers'] },
  authMethod: 'publickey',
  keyFingerprint: 'SHA256:x',
  mfa: { verified: false, method: 'none' },
};
const full: Refusal = { errorCode: 'SessionLimitExceeded', denyReason: 'too-many-sessions', message: 'full' };

const clock = { nowMs: askedAtMs };
let control: ControlStore;
let drafts: AuditDraft[];
let refusals: Refusal[];
let reports: string[];
let ids = 0;
const notifier = fakeNotifier();
const stop = new AbortController();

beforeEach(() => {
  clock.nowMs = askedAtMs;
  control = memoryControlStore(clock);
  drafts = [];
  refusals = [];
  reports = [];
  notifier.notices.length = 0;
  notifier.failure = undefined;
});

function options(changes: Partial<AccessApprovalOptions> = {}): AccessApprovalOptions {
  return {
    desk: {
      control,
      now: () => clock.nowMs,
      record: async (draft) => {
        drafts.push(draft);
      },
    },
    notifier,
    settings: { waitMs: 60_000, requestMs: 3_600_000, grantMs: 3_600_000 },
    lookEveryMs: 1,
    proxyId: 'p-1',
    wanted: async () => wanted(),
    actor: () => ({ kind: 'proxy', proxyId: 'p-1' }),
    takePlace: () => undefined,
    denied: async (_engineer, refusal) => {
      refusals.push(refusal);
    },
    redact: (text) => text.replaceAll('hunter2', '*******'),
    randomBytes: (size) => Buffer.alloc(size, (ids += 1)),
    report: (line) => reports.push(line),
    signal: stop.signal,
    ...changes,
  };
}

function wanted(changes: Partial<WantedApproval> = {}): WantedApproval {
  return { target, login: 'postgres', needed: 1, breakGlass: false, ...changes };
}

async function dialogue(
  changes: Partial<AccessApprovalOptions> = {},
  engineer = alice,
): Promise<LoginDialogue> {
  const asked = await accessApproval(options(changes)).of(engineer);
  if (asked === undefined) throw new Error('nothing is asked');
  return asked;
}

async function decide(kind: AccessDecision['kind'], by: string): Promise<void> {
  const [item] = await control.list('request');
  await decideRequest(
    options().desk,
    { kind: 'proxy', proxyId: 'p-1' },
    item?.id ?? '',
    { kind, by, reason: 'why' },
    async () => undefined,
  );
}

const said = (text: string) => ({
  kind: 'ask',
  request: { instruction: expect.stringContaining(text), prompts: [] },
});

describe('a login that needs approval', () => {
  test('is asked for a reason, told the id, and goes on with that reason once it is approved', async () => {
    const login = await dialogue();

    const asked = await login.begin();
    const told = await login.answer([' restore the index ']);
    const going = login.answer([]);
    await decide('approve', 'bob');

    expect(asked).toMatchObject({ kind: 'ask', request: { prompts: [{ text: 'Reason: ', echo: true }] } });
    expect(told).toMatchObject(said('sshtrail approve r-'));
    expect(await going).toMatchObject(said('approved by bob until'));
    expect(await login.answer([])).toEqual({
      kind: 'answered',
      engineer: { ...alice, reason: 'restore the index' },
    });
  });

  test('hears a word when it has waited a while, and the end of it in a sentence', async () => {
    const login = await dialogue();
    await login.begin();
    await login.answer(['restore the index']);

    const first = login.answer([]);
    clock.nowMs += 25_000;
    expect(await first).toMatchObject(said('still waits for approval (0 of 1 so far)'));
    const second = login.answer([]);
    clock.nowMs += 35_000;

    expect(await second).toMatchObject({
      kind: 'refused',
      message: expect.stringMatching(/still waits for approval, until .* UTC; log in again/),
    });
    expect(refusals).toMatchObject([{ denyReason: 'approval-awaited' }]);
  });

  test('does not go on between the approval and the grant', async () => {
    const login = await dialogue();
    await login.begin();
    await login.answer(['restore the index']);
    const [item] = await control.list('request');
    if (item === undefined) throw new Error('no request');
    const approvals = [{ by: 'bob', atMs: clock.nowMs }];
    await control.put('request', item.id, { ...item.data, state: 'approved', approvals }, { kind: 'any' });

    const going = login.answer([]);
    clock.nowMs += 25_000;

    expect(await going).toMatchObject(said('still waits'));
  });

  test('is not kept waiting where no session is left, or none is to wait', async () => {
    const crowded = await dialogue({ takePlace: () => full });
    const hasty = await dialogue({ settings: { waitMs: 0, requestMs: 60_000, grantMs: 60_000 } });

    expect(await crowded.answer(['restore the index'])).toEqual({ kind: 'refused', message: 'full' });
    expect(await hasty.answer(['restore the index'])).toMatchObject({
      kind: 'refused',
      message: expect.stringContaining('log in again once it is approved'),
    });
  });

  test('says nothing of a reason that was given before', async () => {
    const login = await dialogue({}, { ...alice, reason: 'given before' });

    expect(await login.begin()).toMatchObject(said('waits for approval by one person'));
    expect((await control.list('request'))[0]?.data.reason).toBe('given before');
  });

  test('is over when its connection is', async () => {
    const gone = new AbortController();
    const login = await dialogue({ signal: gone.signal });
    await login.answer(['restore the index']);

    const going = login.answer([]);
    gone.abort();

    await expect(going).rejects.toThrow('aborted');
  });

  test('goes on where nobody could be told, which is reported', async () => {
    notifier.failure = new Error('the webhook is gone');
    const login = await dialogue();

    expect(await login.answer(['restore the index'])).toMatchObject(said('waits for approval'));
    await expect.poll(() => reports).toEqual([expect.stringContaining('the webhook is gone')]);
  });

  test('keeps secrets out of its reason', async () => {
    const login = await dialogue();

    await login.answer(['password is hunter2']);

    expect((await control.list('request'))[0]?.data.reason).toBe('password is *******');
  });

  test('bothers nobody where policy takes another reason', async () => {
    const login = await dialogue({
      wanted: async ({ reason }) => (reason?.startsWith('INC-') === false ? undefined : wanted()),
    });

    expect(await login.answer(['because'])).toMatchObject({ kind: 'refused' });
    expect(await control.list('request')).toEqual([]);
    expect(await login.answer(['INC-421'])).toMatchObject(said('waits for approval'));
  });

  test('is not asked where nothing would help', async () => {
    expect(await accessApproval(options({ wanted: async () => undefined })).of(alice)).toBeUndefined();
  });
});

describe('break-glass at the prompt', () => {
  const open = { wanted: async () => wanted({ breakGlass: true }) };

  test.each(['break-glass: all is down', 'Break-Glass all is down', 'break-glass, all is down'])(
    'lets in by %j where policy lets',
    async (answer) => {
      const login = await dialogue(open);

      const told = await login.answer([answer]);

      expect(told).toMatchObject(said('you are in until'));
      expect(await login.answer([])).toMatchObject({ kind: 'answered', engineer: { reason: 'all is down' } });
      expect(notifier.notices).toMatchObject([{ severity: 'critical' }]);
    },
  );

  test('takes a reason, too', async () => {
    const login = await dialogue(open);

    expect(await login.answer(['break-glass'])).toMatchObject({ kind: 'refused' });
    expect(await control.list('grant')).toEqual([]);
  });

  test('is a reason like any other where it only begins like it', async () => {
    const login = await dialogue();

    expect(await login.answer(['break-glassy windows'])).toMatchObject(said('waits for approval'));
  });

  test('is the only way where nobody can approve', async () => {
    const { needed: _, ...alone } = wanted({ breakGlass: true });
    const login = await dialogue({ wanted: async () => alone });

    expect(await login.begin()).toMatchObject({
      request: { instruction: expect.stringContaining('by break-glass alone') },
    });
    expect(await login.answer(['please'])).toMatchObject({ kind: 'refused' });
  });
});
