import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { createLakeEngine, createS3BlobStore } from '#adapters/aws';
import type { RunbookRequest } from '#core/contract';
import { createActionExecutor, parseRunbook, runRunbook, runWindow } from '#core/runbook';
import { people } from './people.ts';
import { expect, until } from './processes.ts';
import { records } from './sealed-records.ts';
import type { Stage } from './stage.ts';

const root = new URL('../..', import.meta.url).pathname;

export async function eventsArrive(on: Stage): Promise<string> {
  // Starts while there is nothing but to wait.
  on.tasks.prepare(1);
  const starts = await until('both StartSession events are sealed', 20_000, async () => {
    const all = (await records(on)).filter(({ eventName }) => eventName === 'StartSession');
    return all.length === 2 ? all : undefined;
  });
  for (const person of ['alice', 'bob'] as const) {
    const start = starts.find(({ userIdentity }) => userIdentity.userName === `Engineer+${person}`);
    const session = on.sessions.get(person);
    expect(start !== undefined && session !== undefined, `there is no StartSession of ${person}`);
    session.id = start.additionalEventData['sessionId'] ?? '';
    expect(
      start.additionalEventData['mfaAuthenticated'] === String(people[person].mfa),
      `the StartSession of ${person} says ${start.additionalEventData['mfaAuthenticated']}`,
    );
  }
  const ids = starts.map(({ eventID }) => eventID);
  await until('CloudTrail Lake has them', 20_000, () =>
    ids.every((id) => on.lakeEvents.accepted.some((event) => event.id === id)) ? true : undefined,
  );
  return `${(await records(on)).length} events in s3://${on.evidenceBucket}, ${on.lakeEvents.accepted.length} in the channel`;
}

/** A dry run, as on-call would make it: it changes nothing, so that the schedule finds the session anew. */
export async function findInLake(on: Stage): Promise<string> {
  const parsed = parseRunbook(
    readFileSync(join(root, 'runbooks', 'SSH-002-session-without-mfa.yaml'), 'utf8'),
    'SSH-002-session-without-mfa.yaml',
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { runbook } = parsed;
  const control = on.openControl();
  const engine = createLakeEngine({
    client: new CloudTrailClient(on.clientOptions),
    eventDataStoreId: on.eventDataStoreId,
  });
  const refuse = () => Promise.reject(new Error('a dry run does nothing'));
  try {
    // A session is looked at when it is two seconds old.
    const look = () =>
      runRunbook({
        runbook,
        engine,
        lakeEngine: 'lake',
        records: on.eventDataStoreId,
        control,
        journal: { record: refuse, subscribe: () => () => undefined, close: refuse },
        notifier: { notify: refuse },
        actions: createActionExecutor({
          blobs: createS3BlobStore({ client: on.s3, bucket: on.evidenceBucket }),
          control,
          now: Date.now,
        }),
        now: Date.now,
        window: runWindow(runbook.trigger, undefined, Date.now()),
        dryRun: true,
        trigger: 'person',
      });
    const report = await until('the query finds a session', 20_000, async () => {
      const looked = await look();
      return looked.findings.length === 0 ? undefined : looked;
    });
    const found = report.findings.map(({ finding }) => finding.columns['session_id']);
    expect(
      found.length === 1 && found[0] === on.sessions.get('bob')?.id,
      `it found ${JSON.stringify(found)}`,
    );
    const actions = report.findings[0]?.decisions.map(({ action, kind }) => `${kind} ${action}`) ?? [];
    return `${report.findings[0]?.finding.title}; it would ${actions.join(', ')}`;
  } finally {
    await control.close();
    await engine.close();
  }
}

export async function findByAthena(on: Stage): Promise<string> {
  const schedule = on.stacks.one('AWS::Scheduler::Schedule', ({ properties }) =>
    JSON.stringify(properties).includes('SSH-002'),
  );
  const target = on.stacks.resolver.resolve(schedule.stack, schedule.properties['Target'] ?? {}) as {
    Input: string;
  };
  const request = JSON.parse(target.Input) as RunbookRequest;
  const outcome = await on.functions.invoke('run-runbook', {
    ...request,
    scheduledTime: new Date().toISOString(),
  });
  await on.automation.idle();
  const [execution] = on.automation.executions;
  expect(
    execution?.status === 'Success' && on.automation.executions.length === 1,
    `Automation: ${JSON.stringify(on.automation.executions)}; the run: ${JSON.stringify(outcome)}`,
  );
  return `${execution.document}: ${JSON.stringify(execution.outputs[0])}`;
}

export async function oneIsClosed(on: Stage): Promise<string> {
  const alice = on.sessions.get('alice');
  const bob = on.sessions.get('bob');
  expect(alice !== undefined && bob !== undefined, 'the sessions are not open');
  await until(
    'the session without MFA ends',
    10_000,
    () => (bob.process.exitCode === null ? undefined : true),
    bob.output,
  );
  expect(bob.output().includes('SSH-002'), `bob did not read why: ${bob.output()}`);
  expect(alice.process.exitCode === null, `the session with MFA ended, too: ${alice.output()}`);
  return `bob read: ${bob.output().trim().split('\n').at(-1)}`;
}
