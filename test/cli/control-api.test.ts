import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import { apiRoutes, type LiveSession } from '#core/contract';
import { fits } from '#core/lock';
import { loadPolicy } from '#core/policy';
import { compileRules, redactText } from '#core/redaction';
import { totpCode } from '#core/totp';
import type { CommandContext } from '../../cli/command-context.ts';
import { dataDirectory } from '../../cli/data-directory.ts';
import { buildProgram } from '../../cli/program.ts';
import { controlApi } from '../../lambdas/control-api/control-api.ts';
import { factorApi, isFactorRoute } from '../../lambdas/control-api/factors.ts';
import { createTotpFactor } from '../../proxy-task/index.ts';
import { fakeJournal, fakeNotifier } from '../core/runbook/fakes.ts';
import { type FakeCaller, startFakeApi } from '../fakes/aws/api-gateway.ts';
import type { PolicyStatement } from '../fakes/aws/resource-policy.ts';
import { callers, resourcePolicy } from '../lambdas/api-callers.ts';
import { capturingContext, sshtrailProcess } from '../support/command-line.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const loaded = loadPolicy([
  {
    file: 'policy.cedar',
    text: `@id("approved") permit (principal in Group::"engineers", action in Action::"session", resource) when { context.approved };
@id("glass") permit (principal in Group::"engineers", action in Action::"session", resource) when { context.breakGlass };
@id("leads") permit (principal in Group::"leads", action == Action::"approve", resource);
@id("engineers") permit (principal in Group::"engineers", action == Action::"revoke", resource);
@id("freeze") forbid (principal, action == Action::"revoke", resource) when { context.login == "postgres" } unless { context.mfa };`,
  },
]);
if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
const rules = {
  policy: loaded.policy,
  targets: [
    {
      name: 'db-1',
      host: '192.0.2.17',
      port: 22,
      labels: {},
      hostTrust: { kind: 'pinned' as const, keys: [] },
    },
  ],
  access: { waitSeconds: 300, requestSeconds: 3600, grantSeconds: 3600, maxGrantSeconds: 7200 },
  groupsOf: (arn: string) => (arn.includes(':user/ops/') ? ['leads'] : ['engineers']),
  redact: (text: string) => redactText(text, compileRules({ defaults: true, rules: [] })).text,
};

const methods: Readonly<Record<string, readonly string[]>> = {
  [apiRoutes.locks]: ['GET', 'POST'],
  [apiRoutes.requests]: ['GET', 'POST'],
  [apiRoutes.sessions]: ['GET'],
  [apiRoutes.factors]: ['GET'],
  [apiRoutes.lock]: ['DELETE'],
  [apiRoutes.lockWithMfa]: ['DELETE'],
};
const alice = callers.withMfa;
const carol = callers.longTermKey;

/** The functions of the control API over a store that is a data directory's as well, and a gateway that ends whom it is told to. */
async function openDeployment(statements: readonly PolicyStatement[] = []) {
  const data = dataDirectory(temporaryFolder());
  const now = Date.now;
  const control = await openSqliteControlStore(data.control, { now });
  onTestFinished(() => control.close());
  const journal = fakeJournal();
  const state = { isGatewayAlive: true };
  const gateway = async () => {
    if (!state.isGatewayAlive) return;
    const locks = await control.list('lock');
    for (const { id, data: session } of await control.list('session'))
      if (
        locks.some(({ data: lock }) => fits(lock.selector, session)) ||
        (await control.get('revocation', id)) !== undefined
      )
        await control.delete('session', id);
  };
  const parts = {
    control,
    journal,
    now,
    randomBytes,
    notifier: fakeNotifier(),
    rules: async () => rules,
    identityCenterMfaAccounts: [],
    sleep: async (ms: number) => {
      await gateway();
      if (!state.isGatewayAlive) vi.setSystemTime(Date.now() + ms);
    },
  };
  const handler = async (event: APIGatewayProxyEvent) => {
    const answer = await (isFactorRoute(event.resource) ? factorApi(event, parts) : controlApi(event, parts));
    await gateway();
    return answer;
  };
  const api = await startFakeApi({
    routes: Object.values(apiRoutes).flatMap((path) =>
      (methods[path] ?? ['POST']).map((method) => ({ method, path, handler })),
    ),
    resourcePolicy: [...resourcePolicy, ...statements],
    credentials: Object.values(callers),
  });
  onTestFinished(() => api.close());
  return {
    control,
    data,
    journal,
    state,
    url: api.url,
    /** As somebody with these AWS credentials. */
    as: (caller: FakeCaller, ...args: readonly string[]) => runAs(caller, [...args, '--api', api.url]),
    openSession: (letter: string, changes: Partial<LiveSession> = {}) => {
      const sessionId = `s-${letter.repeat(32)}`;
      const session = { ...liveSession, sessionId, startedAtMs: now(), ...changes };
      return control.put('session', sessionId, session, { kind: 'any' });
    },
  };
}

const liveSession: Omit<LiveSession, 'sessionId' | 'startedAtMs'> = {
  identity: 'Engineer+bob',
  principalId: 'AROAEXAMPLE1:bob',
  login: 'ec2-user',
  target: 'web-1',
  sourceIp: '203.0.113.9',
  userAgent: 'SSH-2.0-OpenSSH_9.9',
  mfa: true,
  mfaMethod: 'iam',
  proxyId: 'p-1',
  state: 'open',
};

type Told = { readonly out: string; readonly notes: string; readonly error?: string };

/** The command line in this process; what it throws is what `main` prints. */
async function runAs(
  caller: FakeCaller,
  args: readonly string[],
  environment: CommandContext['environment'] = {},
): Promise<Told> {
  for (const [name, value] of Object.entries(credentialsOf(caller))) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { context, stdout, stderr } = capturingContext({ AWS_REGION: 'eu-central-1', ...environment });
  const program = buildProgram(context);
  const told = () => ({ out: stdout().toString().trimEnd(), notes: stderr().trimEnd() });
  try {
    await program.parseAsync(args, { from: 'user' });
    return told();
  } catch (error) {
    if (error instanceof Error && error.name === 'CliError') return { ...told(), error: error.message };
    throw error;
  }
}

function credentialsOf({ accessKeyId, secretAccessKey, sessionToken = '' }: FakeCaller) {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
    AWS_REGION: 'eu-central-1',
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

/** What a command that printed JSON said. */
function jsonOf({ out, error }: Told): Record<string, unknown> {
  expect(error).toBeUndefined();
  return JSON.parse(out);
}

describe('sessions by the control API', () => {
  test('are listed as on one machine, and one of them ends by the start of its id', async () => {
    const { as, data, openSession, control, journal } = await openDeployment();
    await openSession('a');
    await openSession('b');

    const listed = await as(alice, 'sessions', '--json');
    const there = await runAs(alice, ['sessions', '--json', '--data', data.root]);
    const killed = await as(alice, 'kill', 's-a', '--reason', 'change window is over');
    const left = await as(alice, 'sessions');

    expect(listed.out).toBe(there.out);
    expect(JSON.parse(listed.out)).toHaveLength(2);
    expect(killed).toEqual({
      out: `ended s-${'a'.repeat(32)} (Engineer+bob as ec2-user on web-1)`,
      notes: '',
    });
    expect(left.out).toContain(`s-${'b'.repeat(32)}`);
    expect(left.out).not.toContain('s-aaaa');
    expect((await control.list('revocation')).map(({ data: { by, message } }) => [by, message])).toEqual([
      ['iam:Engineer+alice', 'change window is over (Engineer+alice)'],
    ]);
    expect(journal.drafts).toEqual([]);
  });

  test('that do not end are said not to have, and what is several or nothing is not ended', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    const { as, openSession, state } = await openDeployment();
    await openSession('a');
    await openSession('b');
    state.isGatewayAlive = false;

    expect((await as(alice, 'kill', 's-')).error).toContain('2 open sessions begin with "s-"');
    expect((await as(alice, 'kill', 's-c')).error).toContain('"sshtrail sessions" lists them');
    expect((await as(alice, 'kill', 's-a')).error).toContain('was asked to end and is still open');
  });

  test('cannot write on the terminal what they like', async () => {
    const { as, openSession } = await openDeployment();
    await openSession('a', { identity: 'x\u001b[2J\nroot', target: '\u202eweb' });

    const { out } = await as(alice, 'sessions');
    const killed = await as(alice, 'kill', 's-a');

    for (const text of [out, killed.out])
      for (const character of ['\u001b', '\u202e']) expect(text).not.toContain(character);
    expect(out.split('\n')).toHaveLength(2);
    expect(killed.out).toContain('x\\x1b[2J\\x0aroot');
  });
});

describe('locks by the control API', () => {
  test('end whom they fit, are listed as on one machine, and are lifted by the start of their id', async () => {
    const { as, control, data, openSession, journal } = await openDeployment();
    await openSession('a');
    await openSession('b', { identity: 'Engineer+dora' });

    const placed = jsonOf(
      await as(alice, 'lock', '--identity', 'Engineer+bob', '--message', 'stolen', '--for', '8h', '--json'),
    );
    const listed = await as(alice, 'locks');
    const there = await runAs(alice, ['locks', '--data', data.root]);
    const lockId = String(placed['lockId']);
    const lifted = await as(alice, 'unlock', lockId.slice(0, 12));
    const again = await as(alice, 'unlock', lockId);

    expect(placed).toMatchObject({ author: 'iam:Engineer+alice', message: 'stolen', endedSessions: 1 });
    expect(Number(placed['expiresAtMs']) - Number(placed['createdAtMs'])).toBe(8 * 3_600_000);
    expect((await control.list('session')).map(({ data: { identity } }) => identity)).toEqual([
      'Engineer+dora',
    ]);
    expect(listed.out).toBe(there.out);
    expect(listed.out).toContain('identity Engineer+bob');
    expect(lifted.out).toBe(`lifted ${lockId} (identity Engineer+bob)`);
    expect(again.error).toContain('"sshtrail locks" lists them');
    expect(journal.drafts.map(({ eventName }) => eventName)).toEqual(['CreateLock', 'DeleteLock']);
  });

  test('hold and are told of where the caller may not see the sessions', async () => {
    const { as, control } = await openDeployment([
      {
        Sid: 'NoSessions',
        Effect: 'Deny',
        Principal: { AWS: '*' },
        Action: 'execute-api:Invoke',
        Resource: 'execute-api:/*/GET/v1/sessions',
      },
    ]);

    const { out, error } = await as(alice, 'lock', '--all');

    expect(out).toMatch(/^l-[0-9a-f]{32} locks everybody$/);
    expect(error).toContain('the lock holds, but');
    expect(error).toContain('execute-api:Invoke on GET/v1/sessions');
    expect(await control.list('lock')).toHaveLength(1);
  });

  test('count with the second factor of the credentials, where they have one', async () => {
    const { as, control, journal } = await openDeployment();
    const lock = ['lock', '--target', 'db-1', '--login', 'postgres', '--message', 'out'];

    const bob = await as(callers.withoutMfa, ...lock);
    const carols = await as(carol, ...lock);
    const alices = await as(alice, ...lock, '--json');
    const lifted = await as(callers.withoutMfa, 'unlock', 'l-');

    const hint = 'no second factor counted: IAM does not let these AWS credentials onto';
    expect(bob.error).toMatch(/^the control API refused \(403\): policy "freeze" forbids/);
    expect(bob.error).toContain(`${hint} POST/v1/mfa/locks`);
    expect(carols.error).toContain(`${hint} POST/v1/mfa/locks`);
    expect(alices.error).toBeUndefined();
    expect(lifted.error).toContain(`${hint} DELETE/v1/mfa/locks/*`);
    expect(await control.list('lock')).toHaveLength(1);
    expect(journal.drafts.map(({ eventName, errorCode }) => [eventName, errorCode])).toEqual([
      ['CreateLock', 'AccessDenied'],
      ['CreateLock', 'AccessDenied'],
      ['CreateLock', undefined],
      ['DeleteLock', 'AccessDenied'],
    ]);
  });

  test('are refused before anything is sent where they are none', async () => {
    const { as, control } = await openDeployment();

    expect((await as(alice, 'lock')).error).toContain('one or more of --identity, --key');
    expect((await as(alice, 'lock', '--all', '--message', ' ')).error).toContain('1 to 500 characters');
    expect(await control.list('lock')).toEqual([]);
  });
});

describe('requests by the control API', () => {
  const wish: readonly string[] = [
    '--target',
    'db-1',
    '--login',
    'postgres',
    '--reason',
    'restore the index',
  ];

  test('wait in the name of who IAM proved to ask, and are approved by somebody else', async () => {
    const { as, control, data } = await openDeployment();

    const asked = await as(alice, 'request', ...wish, '--for', '2h', '--ticket', 'INC-421');
    const id = /^r-[0-9a-f]{32}/.exec(asked.out)?.[0] ?? '';
    const waiting = await as(carol, 'requests');
    const there = await runAs(carol, ['requests', '--data', data.root]);
    const own = await as(alice, 'approve', id);
    const approved = await as(carol, 'approve', id.slice(0, 8));
    const after = jsonOf(await as(carol, 'requests', '--json'));
    const all = jsonOf(await as(carol, 'requests', '--all', '--json'));
    const twice = await as(carol, 'approve', id);

    expect(asked.out).toMatch(/waits for approval by one person until .*: sshtrail approve r-/);
    expect(waiting.out).toBe(there.out);
    expect(waiting.out).toContain('Engineer+alice');
    expect(own.error).toMatch(/^the control API refused \(403\): /);
    expect(approved.out).toMatch(new RegExp(`^${id} \\(.*\\): approved until `));
    expect([after, all]).toMatchObject([
      [],
      [{ id, state: 'approved', forMs: 7_200_000, ticket: 'INC-421' }],
    ]);
    expect(twice.error).toContain('you have approved it already');
    expect((await control.list('grant')).map(({ data: { approvedBy } }) => approvedBy)).toEqual([['carol']]);
  });

  test('are turned down with a reason, taken back, and taken by break-glass', async () => {
    const { as, control } = await openDeployment();
    const ask = async () => String(jsonOf(await as(alice, 'request', ...wish, '--json'))['id']);

    const rejected = await as(carol, 'reject', await ask(), '--reason', 'not now', '--json');
    const cancelled = await as(alice, 'cancel', await ask());
    const taken = await as(alice, 'request', ...wish, '--break-glass');

    expect(jsonOf(rejected)).toMatchObject({
      state: 'rejected',
      decided: { by: 'carol', reason: 'not now' },
    });
    expect(cancelled.out).toMatch(/: cancelled$/);
    expect(taken.out).toContain('you may log in until');
    expect((await control.list('grant')).map(({ data: { breakGlass } }) => breakGlass)).toEqual([true]);
  });

  test.each([
    [['request', ...wish, '--for', '10s'], '--for takes 1m and more'],
    [['request', ...wish, '--for', '9h'], 'forSeconds is at most 7200'],
    [['request', ...wish.with(1, 'db-9')], 'no such target'],
    [['request', ...wish, '--as', 'carol'], 'leave --as out'],
    [['approve', `r-${'a'.repeat(32)}`], 'there is no such request; "sshtrail requests" lists what waits'],
    [['approve', 'r-a'], 'no request begins with'],
    [['approve', 'r-a', '--as', 'carol'], 'leave --as out'],
  ])('are refused: %j', async (args, sentence) => {
    const { as, control } = await openDeployment();

    const { out, error } = await as(alice, ...args);

    expect([out, error]).toEqual(['', expect.stringContaining(sentence)]);
    expect(await control.list('request')).toEqual([]);
  });
});

describe('second factors by the control API', () => {
  test.each(['bob', 'Engineer+bob', 'bob@example.com'])(
    'are given to %s once, replaced where that is said, and taken away',
    async (name) => {
      const { as, control, journal } = await openDeployment();
      const person = { name, principalId: name, type: 'person' as const, groups: [] };

      const begun = jsonOf(await as(carol, 'totp', 'enroll', name, '--json'));
      const waits = jsonOf(await as(carol, 'totp', 'status', name, '--json'));
      const wrong = await as(carol, 'totp', 'enroll', name, '--code', '12345');
      const code = totpCode(String(begun['secret']), Date.now());
      const confirmed = await as(carol, 'totp', 'enroll', name, '--code', code);
      const nothing = await as(carol, 'totp', 'enroll', name, '--code', '123456');
      const again = await as(carol, 'totp', 'enroll', name);
      const first = await as(carol, 'totp', 'enroll', name, '--replace', '--no-confirm');
      const replaced = jsonOf(await as(carol, 'totp', 'enroll', name, '--replace', '--no-confirm', '--json'));
      const status = jsonOf(await as(carol, 'totp', 'status', name, '--json'));
      const verdict = await createTotpFactor(control, Date.now).check(
        person,
        totpCode(String(replaced['secret']), Date.now()),
      );
      const removed = await as(carol, 'totp', 'remove', name, '--reason', 'left');
      const gone = await as(carol, 'totp', 'remove', name);

      expect(waits).toMatchObject([{ factor: 'unconfirmed', recoveryCodesLeft: 0 }]);
      expect(wrong.error).toContain('try the next one');
      expect(confirmed.out).toBe(`${name} has a second factor that counts from now on`);
      expect(nothing.error).toContain('begin again');
      expect(first.out.split('\n')).toHaveLength(12);
      expect(first.notes).toContain('None of it is shown again');
      expect(again.error).toContain(`sshtrail totp enroll ${name} --replace`);
      expect(status).toEqual([
        {
          identity: name,
          factor: 'enrolled',
          enrolledAt: expect.stringMatching(/Z$/),
          enrolledBy: 'iam:carol',
          recoveryCodesLeft: 10,
          failures: 0,
          driftSeconds: 0,
        },
      ]);
      expect(verdict).toMatchObject({ kind: 'accepted' });
      expect(removed.out).toBe(`${name} has no second factor any more`);
      expect(gone.error).toContain('"sshtrail totp status" says who has one');
      expect(JSON.stringify(journal.drafts.at(-1))).toContain('left');
    },
  );

  test.each(['..', '.', '\ud800'])('are no way to another route: %j', async (name) => {
    const { as, journal } = await openDeployment();

    expect((await as(carol, 'totp', 'enroll', name)).error).toContain('is no name or id');
    expect(journal.drafts).toEqual([]);
  });
});

describe('which of the two a command is about', () => {
  test('is said by --api, by --data, or by the environment, and never by two at once', async () => {
    const { as, data, url, openSession } = await openDeployment();
    await openSession('a');
    const elsewhere = { SSHTRAIL_API: 'https://api.example.com/live' };

    const both = await as(alice, 'sessions', '--data', data.root);
    const byEnvironment = await runAs(alice, ['sessions', '--json'], { SSHTRAIL_API: url });
    const onData = await runAs(alice, ['sessions', '--json', '--data', data.root], elsewhere);

    expect(both.error).toContain('give --api or --data, not both');
    expect(byEnvironment.out).toContain('Engineer+bob');
    expect(onData.out).toBe(byEnvironment.out);
  });

  test('and what is refused is one sentence and exit code 1', async () => {
    const { url } = await openDeployment([
      { Sid: 'No', Effect: 'Deny', Principal: { AWS: '*' }, Action: 'execute-api:Invoke', Resource: '*' },
    ]);

    const { code, stdout, stderr } = await sshtrailProcess(['locks', '--api', url], {
      env: credentialsOf(alice),
    });

    expect([code, stdout.toString()]).toEqual([1, '']);
    expect(stderr).toMatch(/^sshtrail: IAM refused \(403\): .* execute-api:Invoke on GET\/v1\/locks .*\n$/);
  });
});

describe('an answer that is none of ours', () => {
  async function openServer() {
    const state = { status: 200, body: Buffer.alloc(0) };
    const server = createServer((incoming, outgoing) => {
      incoming.resume();
      outgoing.writeHead(state.status);
      outgoing.end(state.body);
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    onTestFinished(() => {
      server.closeAllConnections();
      server.close();
    });
    const { port } = server.address() as AddressInfo;
    return { state, url: `http://127.0.0.1:${port}/live` };
  }

  test('is refused with a sentence, whatever it is', async () => {
    const { state, url } = await openServer();

    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(200, 201, 400, 403, 404, 409, 500, 503),
        fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json()),
        fc.constantFrom(['sessions'], ['locks'], ['requests'], ['totp', 'status'], ['unlock', 'l-1']),
        async (status, body, args) => {
          state.status = status;
          state.body = Buffer.from(body);

          const { out, error } = await runAs(alice, [...args, '--api', url]);

          expect(out).toBe('');
          expect(error).toMatch(/^(?:the control API|IAM refused)/);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('does not forge lines in what is said of it', async () => {
    const { state, url } = await openServer();
    state.status = 400;
    state.body = Buffer.from(
      JSON.stringify({ error: { code: 'x', message: 'no\nsshtrail: all is well\u001b[2J' } }),
    );

    const { error } = await runAs(alice, ['locks', '--api', url]);

    expect(error).toBe('the control API refused (400): no\\x0asshtrail: all is well\\x1b[2J');
  });

  test('is not read to its end where it is longer than any of ours', async () => {
    const { state, url } = await openServer();
    state.body = Buffer.alloc(6 * 1024 * 1024 + 1, ' ');

    await expect(runAs(alice, ['locks', '--api', url])).rejects.toMatchObject({ code: 'unreachable' });
  });

  test('may have a field that this version does not know', async () => {
    const { state, url } = await openServer();
    const lock = {
      lockId: `l-${'1'.repeat(32)}`,
      selector: { all: true },
      message: 'm',
      author: 'a',
      createdAtMs: 1,
    };
    state.body = Buffer.from(JSON.stringify({ locks: [{ ...lock, colour: 'red' }], truncated: true }));

    const { out, notes } = await runAs(alice, ['locks', '--json', '--api', url]);

    expect(JSON.parse(out)).toEqual([lock]);
    expect(notes).toContain('there are more');
  });
});
