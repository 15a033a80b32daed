import { describe, expect, it } from 'vitest';
import type { Row } from '../../../core/contract/index.ts';
import { answerStep, type RunOptions, runRunbook } from '../../../core/runbook/index.ts';
import {
  type Clock,
  fakeActions,
  fakeEngine,
  fakeJournal,
  fakeNotifier,
  memoryControlStore,
  outcomes,
} from './fakes.ts';
import { sampleRunbook } from './sample-runbook.ts';

const startMs = Date.UTC(2026, 10, 20, 12, 30);
const minuteMs = 60_000;

function sessionName(n: number): string {
  return `s-${String(n).padStart(32, '0')}`;
}

function sessionRow(n: number, fields: Row = {}): Row {
  return {
    session_id: sessionName(n),
    user_name: `user${n}`,
    still_open: true,
    ...fields,
  };
}

function setUp(rows: readonly Row[] = [sessionRow(1)]) {
  const clock: Clock = { nowMs: startMs };
  const parts = {
    control: memoryControlStore(clock),
    journal: fakeJournal(),
    notifier: fakeNotifier(),
    actions: fakeActions(),
    engine: fakeEngine(rows),
  };
  const options = (overrides: Partial<RunOptions> = {}): RunOptions => ({
    ...parts,
    runbook: sampleRunbook(),
    lakeEngine: 'duckdb',
    now: () => clock.nowMs,
    window: { fromMs: clock.nowMs - 30 * minuteMs, toMs: clock.nowMs },
    dryRun: false,
    trigger: 'schedule',
    ...overrides,
  });
  return {
    clock,
    ...parts,
    options,
    run: (overrides: Partial<RunOptions> = {}) => runRunbook(options(overrides)),
  };
}

const key1 = sessionName(1);

describe('a run', () => {
  it('takes the steps in order and writes an event for each, after the finding', async () => {
    const { run, journal, actions, notifier } = setUp();

    const report = await run();

    expect(actions.log).toEqual([`snapshot ${key1}`, `revoke ${key1}`]);
    expect(notifier.notices).toMatchObject([{ severity: 'high', title: 'SSH-900 user1 did it' }]);
    expect(journal.drafts.map((draft) => draft.eventName)).toEqual([
      'StartRunbook',
      'DetectCondition',
      'ExecuteRunbookStep',
      'ExecuteRunbookStep',
      'ExecuteRunbookStep',
      'CompleteRunbook',
    ]);
    expect(journal.drafts.every((draft) => draft.userIdentity.userName === 'runbook/SSH-900')).toBe(true);
    expect(report.findings[0]?.finding.state).toBe('acted');
  });

  it('never acts twice on the same finding', async () => {
    const { run, clock, actions, journal } = setUp();
    await run();
    const events = journal.drafts.length;

    clock.nowMs += minuteMs;
    const again = await run({ lastRunMs: startMs });

    expect(again.findings).toEqual([]);
    expect(actions.log).toHaveLength(2);
    expect(journal.drafts).toHaveLength(events);
  });

  it('finds the same key again once it is no longer suppressed', async () => {
    const { run, clock, actions } = setUp();
    await run();

    clock.nowMs += 25 * 60 * minuteMs;
    await run();

    expect(actions.log).toHaveLength(4);
  });

  it('acts once when two runs meet', async () => {
    const { run, actions, journal } = setUp([sessionRow(1), sessionRow(2)]);

    await Promise.all([run(), run()]);

    expect(actions.log.filter((line) => line.startsWith('revoke')).sort()).toEqual([
      `revoke ${sessionName(1)}`,
      `revoke ${sessionName(2)}`,
    ]);
    expect(journal.drafts.filter((draft) => draft.eventName === 'DetectCondition')).toHaveLength(2);
  });

  it('does not end what is closed by now, whatever the log says', async () => {
    const { run, actions } = setUp();
    actions.closedSessions.add(key1);

    const report = await run();

    expect(outcomes(report.findings[0]?.steps ?? [])).toEqual([
      'evidence.snapshot done',
      'session.revoke not-needed',
      'notify done',
    ]);
  });

  it('leaves out a step whose condition does not hold', async () => {
    const { run, actions } = setUp([sessionRow(1, { still_open: false })]);

    await run();

    expect(actions.log).toEqual([`snapshot ${key1}`]);
  });

  it('asks people where a limit is passed', async () => {
    const { run, actions, notifier, journal } = setUp([1, 2, 3, 4].map((n) => sessionRow(n)));

    const report = await run();

    expect(actions.log.filter((line) => line.startsWith('revoke'))).toHaveLength(2);
    expect(report.findings.map(({ finding }) => finding.state)).toEqual([
      'acted',
      'acted',
      'waiting-approval',
      'waiting-approval',
    ]);
    expect(journal.drafts.filter((draft) => draft.eventName === 'RequestStepApproval')).toHaveLength(2);
    expect(
      notifier.notices.filter((notice) => notice.text.includes('waits for approval by team:oncall')),
    ).toHaveLength(2);
  });

  it('counts the limit of an hour over runs', async () => {
    const { run, clock, actions, engine } = setUp([sessionRow(1), sessionRow(2)]);
    await run();

    clock.nowMs += 10 * minuteMs;
    engine.rows = [sessionRow(3), sessionRow(4)];
    await run();

    expect(actions.log.filter((line) => line.startsWith('revoke'))).toHaveLength(3);
  });

  it('refuses to act on a session id that is none', async () => {
    const { run, actions } = setUp([sessionRow(1, { session_id: 's-1; rm -rf /' })]);
    actions.sessionIsOpen = async (id) => {
      throw new RangeError(`not a session id: ${id}`);
    };

    const report = await run();

    expect(outcomes(report.findings[0]?.steps ?? [])).toEqual([
      'evidence.snapshot done',
      'session.revoke failed',
    ]);
  });

  it('keeps control characters of a log out of titles, notices and the store', async () => {
    const { run, notifier } = setUp([sessionRow(1, { user_name: 'eve\u001b[2J\u202e' })]);

    await run();

    expect(JSON.stringify(notifier.notices)).toContain('eve\\\\u{1b}[2J\\\\u{202e}');
  });
});

describe('what goes wrong', () => {
  it('tries a failed step again in the next run, and what comes after it', async () => {
    const { run, clock, actions, engine } = setUp();
    actions.failure = new Error('store is down');
    const first = await run();

    actions.failure = undefined;
    engine.rows = [];
    clock.nowMs += minuteMs;
    const second = await run();

    expect(outcomes(first.findings[0]?.steps ?? [])).toEqual([
      'evidence.snapshot done',
      'session.revoke failed',
    ]);
    expect(first.findings[0]?.finding.state).toBe('failed');
    expect(outcomes(second.findings[0]?.steps ?? [])).toEqual(['session.revoke done', 'notify done']);
    expect(actions.log).toEqual([`snapshot ${key1}`, `revoke ${key1}`]);
  });

  it('gives up after three attempts, tells people, goes on with the rest, and then is quiet', async () => {
    const { run, clock, actions, notifier, journal } = setUp();
    actions.failure = new Error('store is down');

    for (let attempt = 0; attempt < 4; attempt += 1) {
      await run();
      clock.nowMs += minuteMs;
    }
    const events = journal.drafts.length;
    await run({ lastRunMs: clock.nowMs - minuteMs });

    const attempts = journal.drafts.filter(
      (draft) =>
        draft.eventName === 'ExecuteRunbookStep' && draft.requestParameters['action'] === 'session.revoke',
    );
    expect(attempts).toHaveLength(3);
    expect(notifier.notices.map((notice) => notice.text.split('\n')[0])).toEqual([
      expect.stringContaining('left to people'),
      'P3 to team:security',
    ]);
    expect(journal.drafts).toHaveLength(events);
  });

  it('does nothing when the journal does not take the finding, and all of it later', async () => {
    const { run, clock, actions, journal } = setUp();
    journal.failure = new Error('disk full');
    await expect(run()).rejects.toThrow('disk full');
    const before = [...actions.log];

    journal.failure = undefined;
    clock.nowMs += 2 * minuteMs;
    await run();

    expect(before).toEqual([]);
    expect(actions.log).toEqual([`snapshot ${key1}`, `revoke ${key1}`]);
    expect(journal.drafts.map((draft) => draft.eventName)).toContain('DetectCondition');
  });

  it('goes on after a run that was cut off in the middle of a step', async () => {
    const { run, clock, actions, control } = setUp();
    const never = new Promise<void>(() => {});
    actions.gate = never;
    void run();
    await new Promise((resolve) => setImmediate(resolve));

    actions.gate = Promise.resolve();
    clock.nowMs += 30_000;
    const tooEarly = await run();
    clock.nowMs += 60_000;
    await run();

    expect(tooEarly.findings).toEqual([]);
    expect(actions.log).toEqual([`snapshot ${key1}`, `revoke ${key1}`]);
    expect((await control.get('finding', `SSH-900:${key1}`))?.data.state).toBe('acted');
  });

  it('asks again where nobody could be told of the request', async () => {
    const { run, clock, notifier, engine } = setUp([1, 2, 3].map((n) => sessionRow(n)));
    notifier.failure = new Error('webhook is down');
    await run();

    notifier.failure = undefined;
    engine.rows = [];
    clock.nowMs += 2 * 60 * minuteMs;
    await run();

    expect(notifier.notices.length).toBeGreaterThan(0);
  });

  it('says that its query failed, and fails', async () => {
    const { run, engine, journal } = setUp();
    engine.failure = new Error('no such column');

    await expect(run()).rejects.toThrow('no such column');

    expect(journal.drafts).toMatchObject([
      { eventName: 'CompleteRunbook', responseElements: { outcome: 'failed', detail: 'no such column' } },
    ]);
  });

  it('refuses rows without the columns it speaks of', async () => {
    const { run } = setUp([{ session_id: 's-1' }]);

    await expect(run()).rejects.toMatchObject({ code: 'columns' });
  });
});

describe('a run that finds nothing', () => {
  it('writes one event an hour', async () => {
    const { run, clock, journal } = setUp([]);
    await run();

    let lastRunMs = clock.nowMs;
    for (let minute = 1; minute < 90; minute += 1) {
      clock.nowMs += minuteMs;
      await run({ lastRunMs });
      lastRunMs = clock.nowMs;
    }

    expect(journal.drafts.map((draft) => draft.eventName)).toEqual(['CompleteRunbook', 'CompleteRunbook']);
  });
});

describe('a dry run', () => {
  it('says what it would do and writes nothing', async () => {
    const { run, journal, actions, notifier, control } = setUp();

    const report = await run({ dryRun: true });

    expect(report.findings[0]?.decisions.map(({ action, kind }) => `${action} ${kind}`)).toEqual([
      'evidence.snapshot take',
      'session.revoke take',
      'notify take',
    ]);
    expect([journal.drafts, actions.log, notifier.notices, await control.list('finding')]).toEqual([
      [],
      [],
      [],
      [],
    ]);
  });

  it('looks at live state', async () => {
    const { run, actions } = setUp();
    actions.closedSessions.add(key1);

    const report = await run({ dryRun: true });

    expect(report.findings[0]?.decisions[1]).toMatchObject({ kind: 'skip' });
  });
});

describe('status', () => {
  it.each(['draft', 'deprecated'])('runs a %s only dry', async (status) => {
    const { run } = setUp();
    const runbook = sampleRunbook((yaml) => yaml.replace('status: stable', `status: ${status}`));

    await expect(run({ runbook })).rejects.toMatchObject({ code: 'not-runnable' });
    await expect(run({ runbook, dryRun: true })).resolves.toMatchObject({ rows: 1 });
  });

  it('lets a canary watch and tell, but change nothing', async () => {
    const { run, actions, notifier } = setUp();
    const runbook = sampleRunbook((yaml) => yaml.replace('status: stable', 'status: canary'));

    await run({ runbook });

    expect(actions.log).toEqual([`snapshot ${key1}`]);
    expect(notifier.notices).toHaveLength(1);
  });
});

async function waiting() {
  const parts = setUp([1, 2, 3].map((n) => sessionRow(n)));
  await parts.run();
  const findingKey = sessionName(3);
  const answer = (by: string, answer: 'approve' | 'reject' = 'approve') =>
    answerStep({ ...parts.options(), findingKey, step: 1, by, answer });
  return { ...parts, findingKey, answer };
}

describe('approval', () => {
  it('takes the step once somebody says yes', async () => {
    const { answer, actions, findingKey, control } = await waiting();

    const taken = await answer('carol');

    expect(taken).toMatchObject({ outcome: 'done', detail: expect.stringContaining('approved by carol') });
    expect(actions.log).toContain(`revoke ${findingKey}`);
    expect((await control.get('finding', `SSH-900:${findingKey}`))?.data.state).toBe('acted');
    await expect(answer('carol')).rejects.toMatchObject({ code: 'approval' });
  });

  it('reads live state again', async () => {
    const { answer, actions, findingKey } = await waiting();
    actions.closedSessions.add(findingKey);

    expect(await answer('carol')).toMatchObject({ outcome: 'not-needed' });
  });

  it('takes a no for an answer', async () => {
    const { answer, actions, findingKey } = await waiting();

    expect(await answer('carol', 'reject')).toMatchObject({
      outcome: 'not-needed',
      detail: 'rejected by carol',
    });
    expect(actions.log).not.toContain(`revoke ${findingKey}`);
  });

  it.each([
    ['whom the finding concerns', 'user3'],
    ['a runbook', 'runbook/SSH-900'],
  ])('is not given by %s', async (_, by) => {
    const { answer } = await waiting();

    await expect(answer(by)).rejects.toMatchObject({ code: 'approval' });
  });

  it('expires', async () => {
    const { answer, clock } = await waiting();
    clock.nowMs += 3 * 60 * minuteMs;

    await expect(answer('carol')).rejects.toMatchObject({ code: 'approval' });
  });

  it('is taken from one of two', async () => {
    const { answer, actions, findingKey } = await waiting();

    const answers = await Promise.allSettled([answer('carol'), answer('dave')]);

    expect(answers.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(actions.log.filter((line) => line === `revoke ${findingKey}`)).toHaveLength(1);
  });
});
