import { createS3BlobStore, verifyObjectLake } from '#adapters/aws';
import { expect, stopProcess, until } from './processes.ts';
import { records, sessionStarts } from './sealed-records.ts';
import { type OpenSession, openSession } from './ssh-sessions.ts';
import type { Stage } from './stage.ts';

/** Without a word, as a host of Fargate may fail. The session is older than what the spool may owe. */
export async function killTask(on: Stage): Promise<string> {
  const task = await on.tasks.take(1);
  // Starts while there is nothing but to wait.
  on.tasks.prepare(2);
  const session = await openSession(on, 'alice', task.port);
  const started = await until('its start is sealed', 20_000, async () => (await sessionStarts(on, task))[0]);
  const id = started.additionalEventData['sessionId'] ?? '';
  await stopProcess(task.process, 'SIGKILL');
  await until('its engineer is cut off', 20_000, () =>
    session.process.exitCode === null ? undefined : true,
  );
  const event = {
    'detail-type': 'ECS Task State Change',
    source: 'aws.ecs',
    detail: { lastStatus: 'STOPPED', taskArn: task.taskArn },
  };
  // EventBridge delivers at least once.
  const [outcome] = await Promise.all([
    on.functions.invoke('seal', event),
    on.functions.invoke('seal', event),
  ]);
  const ends = (await records(on)).filter(
    ({ eventName, additionalEventData }) =>
      eventName === 'EndSession' && additionalEventData['sessionId'] === id,
  );
  expect(
    ends.length === 1,
    `the session has ${ends.length} ends on record; seal said ${JSON.stringify(outcome)}`,
  );
  expect(ends[0]?.responseElements['endReason'] === 'ProxyLost', `it ended by ${JSON.stringify(ends[0])}`);
  return `${id}: ${JSON.stringify(ends[0]?.responseElements)}`;
}

/** A process of a task that lives: the task itself completes what it left, and starts another. */
export async function killWorker(on: Stage): Promise<string> {
  const task = await on.tasks.take(2);
  const opened: OpenSession[] = [];
  // Connections go to whichever process is free.
  const byProcess = await until('both processes have sessions', 60_000, async () => {
    const some = await Promise.all([1, 2].map(() => openSession(on, 'alice', task.port)));
    opened.push(...some);
    const starts = await until('their starts are sealed', 20_000, async () => {
      const sealed = await sessionStarts(on, task);
      return sealed.length === opened.length ? sealed : undefined;
    });
    const groups = Map.groupBy(starts, ({ additionalEventData }) => additionalEventData['proxyId'] ?? '');
    return groups.size === 2 ? groups : undefined;
  });
  const [first] = [...byProcess];
  expect(first !== undefined, 'no process has a session');
  const [proxyId, lost] = first;
  const pid = Number(new RegExp(`process (\\d+) serves as ${proxyId}"`).exec(task.log())?.[1]);
  process.kill(pid, 'SIGKILL');
  const ends = await until('its sessions have their ends', 20_000, async () => {
    const ids = new Set(lost.map(({ additionalEventData }) => additionalEventData['sessionId']));
    const found = (await records(on)).filter(
      ({ eventName, additionalEventData }) =>
        eventName === 'EndSession' && ids.has(additionalEventData['sessionId']),
    );
    return found.length === lost.length ? found : undefined;
  });
  expect(
    ends.every(({ responseElements }) => responseElements['endReason'] === 'ProxyLost'),
    `they ended by ${JSON.stringify(ends.map(({ responseElements }) => responseElements))}`,
  );
  await until('their engineers are cut off', 10_000, () =>
    opened.filter((session) => session.process.exitCode !== null).length === lost.length ? true : undefined,
  );
  opened.push(await openSession(on, 'alice', task.port));
  for (const session of opened) await stopProcess(session.process);
  await stopProcess(task.process, 'SIGTERM');
  expect(task.process.exitCode === 0, `the task ended with ${task.process.exitCode}`);
  return `${lost.length} of ${opened.length - 1} sessions were lost with ${proxyId}`;
}

export async function stopAndVerify(on: Stage): Promise<string> {
  for (const session of on.sessions.values()) await stopProcess(session.process, 'SIGTERM');
  const control = on.openControl();
  try {
    await until('the task has seen its sessions end', 10_000, async () =>
      (await control.list('session')).every(({ data }) => data.state !== 'open') ? true : undefined,
    );
  } finally {
    await control.close();
  }
  await stopProcess(on.gateway.process, 'SIGTERM');
  expect(on.gateway.process.exitCode === 0, `the task ended with ${on.gateway.process.exitCode}`);
  const verification = await verifyObjectLake(
    createS3BlobStore({ client: on.s3, bucket: on.evidenceBucket }),
    {
      liveSessions: new Set(),
    },
  );
  const [problem] = verification.problems;
  expect(
    verification.ok,
    `the trail has ${verification.problemsFound} problems, the first: ${problem?.file} ${problem?.message}`,
  );
  const all = await records(on);
  const count = (name: string) => all.filter(({ eventName }) => eventName === name).length;
  expect(count('RevokeSession') > 0, 'there is no RevokeSession on record');
  expect(
    count('EndSession') === count('StartSession'),
    `${count('StartSession')} sessions began, and ${count('EndSession')} ends are on record`,
  );
  return `${verification.streams.length} streams, ${all.length} events, ${verification.recordings.intact} recordings intact`;
}
