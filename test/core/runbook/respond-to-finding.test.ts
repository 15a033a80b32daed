import { describe, expect, it } from 'vitest';
import type { Finding, Row } from '../../../core/contract/index.ts';
import {
  type ResponseOptions,
  type RunOptions,
  respondToFinding,
  runRunbook,
} from '../../../core/runbook/index.ts';
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
const key1 = sessionName(1);

function rowsOf(count: number): readonly Row[] {
  return Array.from({ length: count }, (_, index) => ({
    session_id: sessionName(index + 1),
    user_name: `user${index + 1}`,
    still_open: true,
  }));
}

function setUp(count = 1, mode: 'live' | 'dry-run' = 'live') {
  const clock: Clock = { nowMs: startMs };
  const handedOver: Finding[] = [];
  const control = memoryControlStore(clock);
  const journal = fakeJournal();
  const notifier = fakeNotifier();
  const actions = fakeActions();
  const engine = fakeEngine(rowsOf(count));
  const parts = { control, journal, notifier, actions, engine };
  const tools = { control, journal, notifier, actions, now: () => clock.nowMs };
  const state = { handOverFailure: undefined as Error | undefined };
  const run = (overrides: Partial<RunOptions> = {}) =>
    runRunbook({
      ...tools,
      engine,
      runbook: sampleRunbook(),
      lakeEngine: 'athena',
      window: { fromMs: clock.nowMs - 30 * minuteMs, toMs: clock.nowMs },
      dryRun: false,
      trigger: 'schedule',
      handOver: {
        mode,
        start: async (finding) => {
          if (state.handOverFailure !== undefined) throw state.handOverFailure;
          handedOver.push(finding);
        },
      },
      ...overrides,
    });
  const respond = (findingKey = key1, overrides: Partial<ResponseOptions> = {}) =>
    respondToFinding({
      ...tools,
      runbook: sampleRunbook(),
      findingKey,
      dryRun: false,
      trigger: 'event',
      requestedBy: 'automation/1',
      ...overrides,
    });
  const storedState = async (key = key1) => (await control.get('finding', `SSH-900:${key}`))?.data.state;
  return { clock, ...parts, handedOver, state, run, respond, storedState };
}

describe('a run that hands over', () => {
  it('puts the finding on record and freezes its rows, and takes no other step', async () => {
    const { run, journal, actions, notifier, handedOver, storedState } = setUp();

    const report = await run();

    expect(journal.drafts.map(({ eventName }) => eventName)).toEqual([
      'StartRunbook',
      'DetectCondition',
      'ExecuteRunbookStep',
      'CompleteRunbook',
    ]);
    expect([actions.log, notifier.notices]).toEqual([[`snapshot ${key1}`], []]);
    expect(handedOver.map(({ key }) => key)).toEqual([key1]);
    expect(await storedState()).toBe('open');
    expect(report.findings[0]?.finding.handedOverMs).toBe(startMs);
  });

  it('hands over once when two runs meet, and nothing new a minute later', async () => {
    const { run, clock, handedOver, journal } = setUp(3);

    await Promise.all([run(), run()]);
    clock.nowMs += minuteMs;
    await run({ lastRunMs: startMs });

    expect(handedOver.map(({ key }) => key).sort()).toEqual([1, 2, 3].map(sessionName));
    expect(journal.drafts.filter(({ eventName }) => eventName === 'DetectCondition')).toHaveLength(3);
  });

  it('hands over again what nobody could take, without a second event, and goes on with the others', async () => {
    const { run, clock, handedOver, journal, state } = setUp(2);
    state.handOverFailure = new Error('too many executions');
    const first = await run();

    state.handOverFailure = undefined;
    clock.nowMs += 2 * minuteMs;
    await run();

    expect(first.findings.map(({ handOverFault }) => handOverFault)).toEqual([
      expect.any(Error),
      expect.any(Error),
    ]);
    expect(handedOver.map(({ key, handedOverMs }) => [key, handedOverMs])).toEqual([
      [sessionName(1), undefined],
      [sessionName(2), undefined],
    ]);
    expect(journal.drafts.filter(({ eventName }) => eventName === 'DetectCondition')).toHaveLength(2);
    expect(
      journal.drafts.find(({ eventName }) => eventName === 'CompleteRunbook')?.responseElements,
    ).toMatchObject({ outcome: 'failed', detail: expect.stringContaining('too many executions') });
  });

  it('hands over again what is open long after it was handed over, as another try', async () => {
    const { run, clock, handedOver } = setUp();
    await run();

    clock.nowMs += 2 * minuteMs;
    await run({ lastRunMs: startMs });
    const soon = handedOver.length;
    clock.nowMs += 4 * minuteMs;
    await run({ lastRunMs: startMs });

    expect(soon).toBe(1);
    expect(handedOver.map(({ handedOverMs }) => handedOverMs)).toEqual([undefined, startMs]);
  });

  it('leaves alone what was handed over and is done, or waits for a person', async () => {
    const { run, respond, clock, handedOver } = setUp(4);
    await run();
    for (let n = 1; n <= 4; n += 1) await respond(sessionName(n));

    clock.nowMs += 20 * minuteMs;
    await run({ lastRunMs: startMs });

    expect(handedOver).toHaveLength(4);
  });

  it('does not hand over before the evidence is frozen, and does once it is', async () => {
    const { run, clock, actions, handedOver, engine, storedState } = setUp();
    const freeze = actions.snapshot;
    actions.snapshot = () => Promise.reject(new Error('bucket is closed'));
    await run();
    const before = [handedOver.length, await storedState()];

    actions.snapshot = freeze;
    engine.rows = [];
    clock.nowMs += minuteMs;
    await run();

    expect(before).toEqual([0, 'failed']);
    expect(actions.log).toEqual([`snapshot ${key1}`]);
    expect(handedOver).toHaveLength(1);
  });

  it('hands nothing over where the journal does not take the finding, and does later', async () => {
    const { run, clock, journal, handedOver } = setUp();
    journal.failure = new Error('bucket is closed');
    await expect(run()).rejects.toThrow('bucket is closed');
    const before = handedOver.length;

    journal.failure = undefined;
    clock.nowMs += 2 * minuteMs;
    await run();

    expect([before, handedOver.length]).toEqual([0, 1]);
    expect(journal.drafts.map(({ eventName }) => eventName)).toContain('DetectCondition');
  });

  it('hands over once in dry-run mode, and its events say so', async () => {
    const { run, clock, journal, handedOver, storedState } = setUp(1, 'dry-run');
    await run();

    for (let minute = 0; minute < 30; minute += 1) {
      clock.nowMs += minuteMs;
      await run({ lastRunMs: clock.nowMs - minuteMs });
    }

    expect(handedOver).toHaveLength(1);
    expect(await storedState()).toBe('open');
    expect(new Set(journal.drafts.map(({ requestParameters }) => requestParameters['mode']))).toEqual(
      new Set(['dry-run']),
    );
  });
});

describe('responding', () => {
  it('takes the steps that are left, with an event for each and one for the end', async () => {
    const { run, respond, actions, notifier, journal, storedState } = setUp();
    await run();
    const before = journal.drafts.length;

    const report = await respond();

    expect(outcomes(report.steps)).toEqual(['session.revoke done', 'notify done']);
    expect(actions.log).toEqual([`snapshot ${key1}`, `revoke ${key1}`]);
    expect(notifier.notices).toHaveLength(1);
    expect(journal.drafts.slice(before).map(({ eventName }) => eventName)).toEqual([
      'ExecuteRunbookStep',
      'ExecuteRunbookStep',
      'CompleteRunbook',
    ]);
    expect(journal.drafts.at(-1)?.requestParameters).toMatchObject({ requestedBy: 'automation/1' });
    expect(await storedState()).toBe('acted');
  });

  it('takes no step twice, one after the other or at once, and then writes nothing', async () => {
    const { run, respond, actions, notifier, journal } = setUp();
    await run();

    await Promise.all([respond(), respond(), respond()]);
    const events = journal.drafts.length;
    const again = await respond();

    expect(again.steps).toEqual([]);
    expect(actions.log).toEqual([`snapshot ${key1}`, `revoke ${key1}`]);
    expect(notifier.notices).toHaveLength(1);
    expect(journal.drafts).toHaveLength(events);
  });

  it('says in a dry run what it would do, and writes nothing', async () => {
    const { run, respond, actions, journal, storedState } = setUp();
    await run();
    const events = journal.drafts.length;
    actions.closedSessions.add(key1);

    const report = await respond(key1, { dryRun: true });

    expect(report.decisions.map(({ action, kind }) => `${action} ${kind}`)).toEqual([
      'evidence.snapshot settled',
      'session.revoke skip',
      'notify take',
    ]);
    expect([journal.drafts.length, actions.log.length, await storedState()]).toEqual([events, 1, 'open']);
  });

  it.each([
    ['unknown', 'nobody'],
    ['of another runbook', 'SSH-901:x'],
  ])('refuses a finding that is %s', async (_, key) => {
    const { run, respond, control } = setUp();
    await run();
    const stored = await control.get('finding', `SSH-900:${key1}`);
    if (stored === undefined) throw new Error('not stored');
    await control.put(
      'finding',
      'SSH-900:SSH-901:x',
      { ...stored.data, runbookId: 'SSH-901', key: 'x' },
      {
        kind: 'any',
      },
    );

    await expect(respond(key)).rejects.toMatchObject({ code: 'finding' });
  });

  it('takes no step of a draft', async () => {
    const { run, respond } = setUp();
    await run();
    const runbook = sampleRunbook((yaml) => yaml.replace('status: stable', 'status: draft'));

    await expect(respond(key1, { runbook })).rejects.toMatchObject({ code: 'not-runnable' });
    await expect(respond(key1, { runbook, dryRun: true })).resolves.toMatchObject({ steps: [] });
  });

  it('tries a failed step again when asked again, three times at most', async () => {
    const { run, respond, actions, notifier, storedState } = setUp();
    await run();
    actions.failure = new Error('table is throttled');

    const tries = [];
    for (let attempt = 0; attempt < 4; attempt += 1) tries.push(outcomes((await respond()).steps));

    expect(tries).toEqual([
      ['session.revoke failed'],
      ['session.revoke failed'],
      ['session.revoke failed'],
      ['notify done'],
    ]);
    expect(notifier.notices[0]?.text).toContain('left to people');
    expect(await storedState()).toBe('failed');
  });

  it('closes the finding although the run says at the same moment that it was handed over', async () => {
    const { run, respond, control, storedState } = setUp();
    await run({
      handOver: {
        mode: 'live',
        start: async () => {
          await respond();
        },
      },
    });

    expect(await storedState()).toBe('acted');
    expect((await control.get('finding', `SSH-900:${key1}`))?.data.handedOverMs).toBeUndefined();
  });

  it('gives the finding its state although it was changed meanwhile', async () => {
    const { run, respond, control, actions, storedState } = setUp();
    await run();
    const revoke = actions.revokeSession;
    actions.revokeSession = async (id, revocation) => {
      const stored = await control.get('finding', `SSH-900:${key1}`);
      if (stored !== undefined)
        await control.put(
          'finding',
          stored.id,
          { ...stored.data, handedOverMs: 1 },
          { kind: 'any' },
          stored.expiresAtMs,
        );
      return revoke(id, revocation);
    };

    await respond();

    expect(await storedState()).toBe('acted');
  });
});

describe('limits', () => {
  const revoked = (log: readonly string[]) => log.filter((line) => line.startsWith('revoke'));

  it('of a run hold for all findings of it, however many are responded to at once', async () => {
    const { run, respond, actions, journal, notifier } = setUp(8);
    await run();

    const reports = await Promise.all(
      Array.from({ length: 8 }, (_, index) => respond(sessionName(index + 1))),
    );

    expect(revoked(actions.log)).toHaveLength(2);
    expect(
      reports
        .flatMap(({ steps }) => steps)
        .filter(({ taken }) => taken.outcome === 'waiting-approval')
        .map(({ taken }) => taken.detail),
    ).toEqual(Array.from({ length: 6 }, () => 'the limit of 2 a run is reached'));
    expect(journal.drafts.filter(({ eventName }) => eventName === 'RequestStepApproval')).toHaveLength(6);
    expect(
      notifier.notices.filter(({ text }) => text.includes('session.revoke: needs approval')),
    ).toHaveLength(6);
  });

  it('of a run are decided in advance where they come one after another', async () => {
    const { run, respond } = setUp(3);
    await run();
    await respond(sessionName(1));
    await respond(sessionName(2));

    const report = await respond(sessionName(3), { dryRun: true });

    expect(report.decisions[1]).toMatchObject({ kind: 'ask', reason: 'the limit of 2 a run is reached' });
  });

  it('of an hour hold over runs, and are free again after it', async () => {
    const { run, respond, actions, clock, engine } = setUp(2);
    const batch = async (from: number, to: number) => {
      engine.rows = rowsOf(to).slice(from - 1);
      await run();
      for (let n = from; n <= to; n += 2)
        await Promise.all([respond(sessionName(n)), respond(sessionName(n + 1))]);
    };
    await batch(1, 2);
    clock.nowMs += 10 * minuteMs;
    await batch(3, 4);
    const withinTheHour = revoked(actions.log).length;

    clock.nowMs += 61 * minuteMs;
    await batch(5, 6);

    expect([withinTheHour, revoked(actions.log).length]).toEqual([3, 5]);
  });

  it('count only what was done', async () => {
    const { run, respond, actions } = setUp(3);
    await run();
    actions.closedSessions.add(sessionName(1));
    await respond(sessionName(1));
    actions.failure = new Error('throttled');
    await respond(sessionName(2));

    actions.failure = undefined;
    await respond(sessionName(2));
    await respond(sessionName(3));

    expect(revoked(actions.log)).toEqual([`revoke ${sessionName(2)}`, `revoke ${sessionName(3)}`]);
  });

  it('leave the step out where the runbook says stop', async () => {
    const { run, respond, actions } = setUp(4);
    const runbook = sampleRunbook((yaml) => yaml.replace('onExceed: approve', 'onExceed: stop'));
    await run({ runbook });

    const reports = await Promise.all(
      Array.from({ length: 4 }, (_, index) => respond(sessionName(index + 1), { runbook })),
    );

    expect(revoked(actions.log)).toHaveLength(2);
    expect(
      reports
        .flatMap(({ steps }) => steps)
        .filter(({ taken }) => taken.outcome === 'not-needed')
        .map(({ taken }) => taken.detail),
    ).toEqual(['the limit of 2 a run is reached', 'the limit of 2 a run is reached']);
  });

  it('keep the place of a step that was cut off', async () => {
    const { run, respond, actions, clock } = setUp(3);
    await run();
    actions.gate = new Promise<void>(() => {});
    void respond(sessionName(1));
    await new Promise((resolve) => setImmediate(resolve));
    actions.gate = Promise.resolve();
    await respond(sessionName(2));
    const third = await respond(sessionName(3));

    clock.nowMs += 2 * minuteMs;
    const first = await respond(sessionName(1));

    expect(outcomes(third.steps)[0]).toBe('session.revoke waiting-approval');
    expect(outcomes(first.steps)[0]).toBe('session.revoke done');
  });
});
