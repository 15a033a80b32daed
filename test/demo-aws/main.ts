import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import {
  createDynamoControlStore,
  createLakeEngine,
  createS3BlobStore,
  verifyObjectLake,
} from '#adapters/aws';
import { apiRoutes, type RunbookRequest } from '#core/contract';
import { createActionExecutor, parseRunbook, runRunbook, runWindow } from '#core/runbook';
import { ensurePythonTools } from '../../scripts/python-tools.ts';
import { type Person, people } from './people.ts';
import { stopProcess, until } from './processes.ts';
import { signedFetch } from './signed-fetch.ts';
import { openStage, type Stage } from './stage.ts';

/** Plays the AWS form unattended on an AWS that answers over HTTP on this machine; exits 0 only if each step held. */
type Step = { readonly title: string; readonly play: (stage: Stage) => Promise<string> };

const root = new URL('../..', import.meta.url).pathname;
const startedMs = Date.now();
const sessions: Partial<Record<Person, OpenSession>> = {};
type OpenSession = { readonly process: ChildProcess; readonly output: () => string; id: string };

const steps: readonly Step[] = [
  {
    title: 'IAM turns two identities into certificates, and refuses the MFA route without MFA',
    play: certificates,
  },
  { title: 'the stock ssh client opens two sessions through the gateway task', play: openSessions },
  { title: 'the events are in the evidence bucket and in the CloudTrail Lake channel', play: eventsArrive },
  { title: 'runbook SSH-002 finds the session without MFA in CloudTrail Lake', play: findInLake },
  { title: 'its schedule finds it by Athena, and its Automation document calls act', play: findByAthena },
  { title: 'that session is closed, and the other is not', play: oneIsClosed },
  {
    title:
      'another task is killed with a session open; seal puts its end on record, and stores its recording',
    play: killTask,
  },
  {
    title: "one of a task's two processes is killed; its sessions end on record, the others go on",
    play: killWorker,
  },
  { title: 'the task drains and stops, and the whole trail in S3 verifies', play: stopAndVerify },
];

const tools = await ensurePythonTools(root);
if (!tools.ok) {
  console.error(`demo:aws needs moto: ${tools.reason}`);
  process.exit(1);
}
let stage: Stage | undefined;
let failed = false;
try {
  stage = await openStage(tools.motoServer, (line) => console.log(`${seconds(startedMs)} ${line}`));
  for (const [index, step] of steps.entries()) {
    const stepMs = Date.now();
    const found = await step.play(stage);
    console.log(`${index + 1}. ${step.title} (${seconds(stepMs)})`);
    console.log(`   ${found}`);
  }
  console.log(`all ${steps.length} steps held, in ${seconds(startedMs)}`);
} catch (error) {
  failed = true;
  console.error(error instanceof Error ? (error.stack ?? error.message) : error);
  if (stage !== undefined) {
    console.error(`--- the gateway task said:\n${stage.gateway.log()}`);
    console.error(`--- the functions said:\n${stage.functions.logs.join('\n')}`);
  }
} finally {
  for (const session of Object.values(sessions)) await stopProcess(session.process);
  await stage?.close();
}
process.exit(failed ? 1 : 0);

async function certificates(on: Stage): Promise<string> {
  const refused = await ask(on, 'bob', apiRoutes.certificateWithMfa);
  expect(refused.status === 403, `bob without MFA got ${refused.status} on the MFA route: ${refused.body}`);
  for (const [person, route] of [
    ['alice', apiRoutes.certificateWithMfa],
    ['bob', apiRoutes.certificate],
  ] as const) {
    const { status, body } = await ask(on, person, route);
    expect(status === 200, `${person} got ${status}: ${body} ${JSON.stringify(on.api.faults)}`);
    const issued = JSON.parse(body) as { certificate: string; mfa: boolean };
    expect(issued.mfa === people[person].mfa, `the certificate of ${person} says mfa ${issued.mfa}`);
    writeFileSync(join(on.folder, 'keys', `${person}-cert.pub`), `${issued.certificate}\n`);
  }
  return `bob on the MFA route: ${refused.status} ${refused.body}`;
}

function ask(on: Stage, person: Person, route: string) {
  const publicKey = readFileSync(join(on.folder, 'keys', `${person}.pub`), 'utf8');
  return signedFetch(`${on.api.url}${route}`, {
    method: 'POST',
    body: JSON.stringify({ publicKey }),
    region: 'eu-central-1',
    credentials: people[person],
  });
}

async function openSessions(on: Stage): Promise<string> {
  for (const person of ['alice', 'bob'] as const) {
    sessions[person] = await openSession(on, person, on.gateway.port);
  }
  return 'alice with MFA and bob without are on web-1';
}

async function openSession(on: Stage, person: Person, port: number): Promise<OpenSession> {
  let output = '';
  const child = spawn('ssh', [...sshOptions(on, person, port), 'echo open as $(id -un); exec sleep 600'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await until(
    `${person} is on the target`,
    20_000,
    () => {
      if (child.exitCode !== null) throw new Error(`ssh of ${person} ended: ${output}`);
      return output.includes('open as') ? true : undefined;
    },
    () => output,
  );
  return { process: child, output: () => output, id: '' };
}

/** Without a word, as a host of Fargate may fail. The session is older than what the spool may owe. */
async function killTask(on: Stage): Promise<string> {
  const task = await on.startTask();
  const session = await openSession(on, 'alice', task.port);
  const sessionsNow = await until('its start is sealed', 20_000, async () => {
    const starts = (await records(on)).filter(({ eventName }) => eventName === 'StartSession');
    return starts.length === 3 ? starts : undefined;
  });
  const id = sessionsNow.at(-1)?.additionalEventData['sessionId'] ?? '';
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
async function killWorker(on: Stage): Promise<string> {
  const task = await on.startTask(2);
  const before = new Set((await sessionStarts(on)).map(({ eventID }) => eventID));
  const opened: OpenSession[] = [];
  // Connections go to whichever process is free.
  const byProcess = await until('both processes have sessions', 60_000, async () => {
    const some = await Promise.all([1, 2].map(() => openSession(on, 'alice', task.port)));
    opened.push(...some);
    const starts = await until('their starts are sealed', 20_000, async () => {
      const fresh = (await sessionStarts(on)).filter(({ eventID }) => !before.has(eventID));
      return fresh.length === opened.length ? fresh : undefined;
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

async function sessionStarts(on: Stage): Promise<readonly SealedRecord[]> {
  return (await records(on)).filter(({ eventName }) => eventName === 'StartSession');
}

function sshOptions(on: Stage, person: Person, port: number): readonly string[] {
  const options = [
    `Port=${port}`,
    `IdentityFile=${join(on.folder, 'keys', person)}`,
    `CertificateFile=${join(on.folder, 'keys', `${person}-cert.pub`)}`,
    'IdentitiesOnly=yes',
    'BatchMode=yes',
    `UserKnownHostsFile=${join(on.folder, 'known_hosts')}`,
    'StrictHostKeyChecking=yes',
  ];
  return ['-F', '/dev/null', ...options.flatMap((option) => ['-o', option]), `${on.login}@web-1@127.0.0.1`];
}

type SealedRecord = {
  readonly eventName: string;
  readonly eventID: string;
  readonly userIdentity: { readonly userName: string };
  readonly responseElements: Readonly<Record<string, string>>;
  readonly additionalEventData: Readonly<Record<string, string>>;
};

async function records(on: Stage): Promise<readonly SealedRecord[]> {
  const found: SealedRecord[] = [];
  for (const [key, bytes] of await on.evidence())
    if (key.startsWith('events/'))
      for (const line of gunzipSync(bytes).toString('utf8').split('\n'))
        if (line !== '') found.push(JSON.parse(line) as SealedRecord);
  return found;
}

async function eventsArrive(on: Stage): Promise<string> {
  const starts = await until('both StartSession events are sealed', 20_000, async () => {
    const all = (await records(on)).filter(({ eventName }) => eventName === 'StartSession');
    return all.length === 2 ? all : undefined;
  });
  for (const person of ['alice', 'bob'] as const) {
    const start = starts.find(({ userIdentity }) => userIdentity.userName === `Engineer+${person}`);
    const session = sessions[person];
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
async function findInLake(on: Stage): Promise<string> {
  const parsed = parseRunbook(
    readFileSync(join(root, 'runbooks', 'SSH-002-session-without-mfa.yaml'), 'utf8'),
    'SSH-002-session-without-mfa.yaml',
  );
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const { runbook } = parsed;
  const control = createDynamoControlStore({
    client: new DynamoDBClient(on.clientOptions),
    table: on.controlTable,
    now: Date.now,
  });
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
    expect(found.length === 1 && found[0] === sessions.bob?.id, `it found ${JSON.stringify(found)}`);
    const actions = report.findings[0]?.decisions.map(({ action, kind }) => `${kind} ${action}`) ?? [];
    return `${report.findings[0]?.finding.title}; it would ${actions.join(', ')}`;
  } finally {
    await control.close();
    await engine.close();
  }
}

async function findByAthena(on: Stage): Promise<string> {
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

async function oneIsClosed(): Promise<string> {
  const { alice, bob } = sessions;
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

async function stopAndVerify(on: Stage): Promise<string> {
  await stopProcess(sessions.alice?.process ?? on.gateway.process, 'SIGTERM');
  await until('the task has seen the session end', 10_000, async () => {
    const all = await records(on);
    const ended = all.filter(({ eventName }) => eventName === 'EndSession').length;
    return ended === all.filter(({ eventName }) => eventName === 'StartSession').length ? true : undefined;
  });
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
  expect(
    all.some(({ eventName }) => eventName === 'RevokeSession') && all.at(-1) !== undefined,
    'there is no RevokeSession on record',
  );
  return `${verification.streams.length} streams, ${all.length} events, ${verification.recordings.intact} recordings intact`;
}

function expect(condition: boolean, otherwise: string): asserts condition {
  if (!condition) throw new Error(otherwise);
}

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}
