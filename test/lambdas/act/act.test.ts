import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseActRequest } from '../../../lambdas/act/act-request.ts';
import { jsonError } from '../../fakes/aws/fake-aws.ts';
import {
  actRequest,
  configure,
  minuteMs,
  openStage,
  type Stage,
  sessionName,
  sessionsWithoutMfa,
  startMs,
} from '../stage.ts';

async function found(count = 1): Promise<Stage> {
  const stage = await openStage();
  for (let n = 1; n <= count; n += 1) await stage.openSession(sessionName(n));
  await stage.put(sessionsWithoutMfa(count, startMs));
  await stage.run(stage.schedule());
  return stage;
}

/** What a gateway does with a revocation. */
async function gatewayEnds(stage: Stage): Promise<void> {
  for (const { id } of await stage.control.list('revocation')) {
    await stage.control.delete('session', id);
    await stage.control.delete('revocation', id);
  }
}

const stepEvents = (stage: Stage) =>
  stage
    .recorded()
    .filter(({ eventName }) => eventName === 'ExecuteRunbookStep')
    .map(
      ({ requestParameters, responseElements }) =>
        `${requestParameters['action']} ${responseElements['outcome']}`,
    );

describe('acting on a finding', () => {
  it('takes the steps that are left and says that the session has ended', async () => {
    const stage = await found();
    stage.state.whileWaiting = () => gatewayEnds(stage);

    const summary = await stage.act(actRequest(sessionName(1)));

    expect(summary).toEqual({
      runbookId: 'SSH-002',
      findingKey: sessionName(1),
      dryRun: false,
      state: 'acted',
      steps: [
        { action: 'evidence.snapshot', outcome: 'settled', detail: expect.stringMatching(/^findings\//) },
        {
          action: 'session.revoke',
          outcome: 'done',
          detail: 'the gateway was asked to end the session',
          revocation: 'confirmed',
        },
        { action: 'notify', outcome: 'done', detail: 'people were told' },
      ],
    });
    expect(stepEvents(stage)).toEqual(['session.revoke done', 'notify done', 'evidence.snapshot done']);
    expect(await stage.control.list('writer')).toEqual([]);
  });

  it('says where the session was not seen to end, five seconds later', async () => {
    const stage = await found();

    const summary = await stage.act(actRequest(sessionName(1)));

    expect(summary.steps[1]).toMatchObject({ outcome: 'done', revocation: 'unconfirmed' });
    expect(stage.clock.nowMs).toBe(startMs + 5_000);
    expect(stage.metrics()).toContainEqual(['RevocationUnconfirmed', 1]);
    expect((await stage.control.list('revocation')).map(({ data }) => data.by)).toEqual(['runbook/SSH-002']);
  });

  it('takes no step twice when it is called twice, at once or again', async () => {
    const stage = await found();

    await Promise.all([stage.act(actRequest(sessionName(1))), stage.act(actRequest(sessionName(1)))]);
    const events = stage.recorded().length;
    const again = await stage.act(actRequest(sessionName(1)));

    expect(stepEvents(stage).filter((step) => step === 'session.revoke done')).toHaveLength(1);
    expect(stage.notifier.notices).toHaveLength(1);
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(['settled', 'settled', 'settled']);
    expect(stage.recorded()).toHaveLength(events);
  });

  it('says in a dry run what it would do, and does nothing', async () => {
    const stage = await found();
    const before = stage.recorded().length;

    const summary = await stage.act(actRequest(sessionName(1), { dryRun: 'true' }));

    expect(summary.steps.map(({ action, outcome }) => `${action} ${outcome}`)).toEqual([
      'evidence.snapshot settled',
      'session.revoke would-take',
      'notify would-take',
    ]);
    expect([await stage.control.list('revocation'), stage.notifier.notices, stage.recorded().length]).toEqual(
      [[], [], before],
    );
  });

  it('does not end what has ended since', async () => {
    const stage = await found();
    await stage.control.delete('session', sessionName(1));

    const summary = await stage.act(actRequest(sessionName(1)));

    expect(summary.steps[1]).toEqual({
      action: 'session.revoke',
      outcome: 'not-needed',
      detail: 'the session is not open any more',
    });
  });

  it('keeps the limits of the runbook over calls that come together', { timeout: 30_000 }, async () => {
    const stage = await found(14);

    const summaries = await Promise.all(
      Array.from({ length: 14 }, (_, index) => stage.act(actRequest(sessionName(index + 1)))),
    );

    const outcomes = summaries.map(({ steps }) => steps[1]?.outcome);
    expect(await stage.control.list('revocation')).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === 'done')).toHaveLength(10);
    expect(outcomes.filter((outcome) => outcome === 'waiting-approval')).toHaveLength(4);
  });

  it('does nothing for a runbook that was switched off since, but says what it would do', async () => {
    const stage = await found();
    await configure(stage.clients.ssm, 'off');

    await expect(stage.act(actRequest(sessionName(1)))).rejects.toMatchObject({ code: 'configuration' });
    await expect(stage.act(actRequest(sessionName(1), { dryRun: 'true' }))).resolves.toMatchObject({
      state: 'open',
    });
    expect(await stage.control.list('revocation')).toEqual([]);
  });
});

describe('what goes wrong', () => {
  it('is thrown after everything was sealed, and done when it is called again', async () => {
    const stage = await found();
    stage.notifier.failure = new Error('the topic is gone');
    await expect(stage.act(actRequest(sessionName(1)))).rejects.toMatchObject({
      code: 'incomplete',
      message: expect.stringContaining('notify failed: the topic is gone'),
    });
    const writers = await stage.control.list('writer');

    stage.notifier.failure = undefined;
    const again = await stage.act(actRequest(sessionName(1)));

    expect(writers).toEqual([]);
    expect(again.state).toBe('acted');
    expect(again.steps.map(({ outcome }) => outcome)).toEqual(['settled', 'settled', 'done']);
    expect(stepEvents(stage).filter((step) => step === 'session.revoke done')).toHaveLength(1);
    expect(stage.metrics()).toContainEqual(['StepFailed', 1]);
  });

  it('stops it before it acts where nothing can be put on record', async () => {
    const stage = await found();
    const heal = stage.aws.inject(({ service, method, path }) =>
      service === 's3' && method === 'PUT' && path.startsWith('/journal/')
        ? { kind: 'answer', status: 403, body: '<Error><Code>AccessDenied</Code></Error>' }
        : undefined,
    );
    await expect(stage.act(actRequest(sessionName(1)))).rejects.toMatchObject({ name: 'JournalError' });

    heal();
    stage.clock.nowMs += 2 * minuteMs;
    const again = await stage.act(actRequest(sessionName(1)));

    expect(again.state).toBe('acted');
  });

  it('is thrown where the control table does not answer', async () => {
    const stage = await found();
    stage.aws.inject(({ service }) =>
      service === 'dynamodb'
        ? { kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'not allowed') }
        : undefined,
    );

    await expect(stage.act(actRequest(sessionName(1)))).rejects.toMatchObject({ name: 'ControlStoreError' });
  });
});

describe('what it is called with', () => {
  it.each([
    ['nothing', undefined],
    ['a list', [actRequest('x')]],
    ['no key', actRequest('')],
    ['a key that is no text', actRequest('x', { findingKey: { S: 'x' } })],
    ['a key with a line break', actRequest('x\ny')],
    ['a key with a line break at its end', actRequest('x\n')],
    ['a key that is a template', actRequest('{{ global:REGION }}')],
    ['a key that is too long', actRequest('x'.repeat(201))],
    ['a runbook that is a path', actRequest('x', { runbookId: '../SSH-002' })],
    ['a runbook with a colon', actRequest('x', { runbookId: 'SSH-002:x' })],
    ['a dry run that is neither', actRequest('x', { dryRun: 'TRUE' })],
    ['a dry run that is no text', actRequest('x', { dryRun: false })],
    ['an execution that is none', actRequest('x', { automationExecutionId: 'me' })],
    ['more fields', actRequest('x', { mode: 'auto' })],
    ['fields of another prototype', Object.create(actRequest('x'))],
  ])('is refused where it is %s', async (_, input) => {
    const stage = await openStage();

    await expect(stage.act(input)).rejects.toMatchObject({ code: 'bad-request' });
    expect(stage.aws.calls.filter((call) => call.startsWith('dynamodb:Get'))).toEqual([]);
  });

  it('is refused where no such finding is stored, or no such runbook is there', async () => {
    const stage = await openStage();

    await expect(stage.act(actRequest('nobody'))).rejects.toMatchObject({ code: 'finding' });
    await expect(stage.act(actRequest('x', { runbookId: 'SSH-999' }))).rejects.toMatchObject({
      code: 'runbooks',
    });
  });

  it('never means more than it says, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.anything(),
          fc.record({
            runbookId: fc.string(),
            findingKey: fc.string(),
            dryRun: fc.string(),
            automationExecutionId: fc.string(),
          }),
        ),
        (input) => {
          try {
            const { runbookId, findingKey } = parseActRequest(input);

            expect(`${runbookId}:${findingKey}`).toMatch(/^SSH-[0-9]{3}:[\x21-\x7e]{1,200}$/);
          } catch (error) {
            expect(error).toMatchObject({ code: 'bad-request' });
          }
        },
      ),
    );
  });
});
