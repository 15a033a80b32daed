import { ensurePythonTools } from '../../scripts/python-tools.ts';
import { findAccess, lockOut, waitForApproval } from './access-steps.ts';
import { certificates, openSessions } from './certificate-steps.ts';
import { killTask, killWorker, stopAndVerify } from './ending-steps.ts';
import { eventsArrive, findByAthena, findInLake, oneIsClosed } from './runbook-steps.ts';
import { openStage, type Stage } from './stage.ts';

/** Plays the AWS form unattended on an AWS that answers over HTTP on this machine; exits 0 only if each step held. */
type Step = { readonly title: string; readonly play: (stage: Stage) => Promise<string> };

const root = new URL('../..', import.meta.url).pathname;
const startedMs = Date.now();

const steps: readonly Step[] = [
  {
    title: 'IAM turns three identities into certificates, and refuses the MFA route without MFA',
    play: certificates,
  },
  { title: 'the stock ssh client opens two sessions through the gateway task', play: openSessions },
  { title: 'the events are in the evidence bucket and in the CloudTrail Lake channel', play: eventsArrive },
  { title: 'runbook SSH-002 finds the session without MFA in CloudTrail Lake', play: findInLake },
  { title: 'its schedule finds it by Athena, and its Automation document calls act', play: findByAthena },
  { title: 'that session is closed, and the other is not', play: oneIsClosed },
  {
    title: 'a login waits for approval: not by who asked, but by another IAM caller, and it goes on',
    play: waitForApproval,
  },
  {
    title: "a lock ends one engineer's session and refuses them, nobody else, until it is lifted",
    play: lockOut,
  },
  {
    title:
      'another task is killed with a session open; seal puts its end on record, and stores its recording',
    play: killTask,
  },
  {
    title: "one of a task's two processes is killed; its sessions end on record, the others go on",
    play: killWorker,
  },
  {
    title: 'Athena finds who asked, who approved, and whom the lock ended and refused',
    play: findAccess,
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
  await stage?.close();
}
process.exit(failed ? 1 : 0);

function seconds(sinceMs: number): string {
  return `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;
}
