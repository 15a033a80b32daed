import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CommandContext } from './command-context.ts';
import { dataDirectory } from './data-directory.ts';
import { addApprovers, findAccess, lockOut, waitForApproval } from './demo/access-steps.ts';
import { findBoth, playBack, tamper, verifyAll } from './demo/evidence-steps.ts';
import { beDenied, beRevoked, runCommands } from './demo/session-steps.ts';
import { type Stage, seconds, writeAskpass } from './demo/stage.ts';
import { prepareDataDirectory } from './first-run.ts';
import { startUp } from './up.ts';

type Step = { readonly title: string; readonly play: (stage: Stage) => Promise<string> };

export async function demo(keep: boolean, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-demo-'));
  const data = dataDirectory(join(folder, 'data'));
  const startedMs = now();
  const reports: string[] = [];
  await prepareDataDirectory(data, { listen: { host: '127.0.0.1', port: 2222 } });
  addApprovers(data);
  const up = await startUp({
    data,
    sshPort: 0,
    playground: true,
    now,
    report: (line) => void reports.push(line),
  });
  output.line(
    `ready after ${seconds(startedMs, now())}: gateway on port ${up.running.gateway.address.port}, targets ${up.playground?.targets.map(({ name }) => name).join(', ')}`,
  );
  try {
    const stage: Stage = { data, up, login: up.playground?.login ?? '', askpass: writeAskpass(folder), now };
    for (const [index, step] of steps.entries()) {
      const stepMs = now();
      const found = await step.play(stage);
      output.line(`${index + 1}. ${step.title} (${seconds(stepMs, now())})`);
      output.line(`   ${found}`);
    }
    output.line(`all ${steps.length} steps held, in ${seconds(startedMs, now())}`);
  } catch (error) {
    for (const report of reports) output.note(report);
    throw error;
  } finally {
    await up.close('the demo has ended');
    if (keep) output.line(`the data directory is ${data.root}`);
    else rmSync(folder, { recursive: true, force: true });
  }
}

const steps: readonly Step[] = [
  { title: 'an engineer runs commands on the playground with a stock ssh client', play: runCommands },
  { title: 'policy denies: a command, and production without a second factor', play: beDenied },
  {
    title:
      'a session with a second factor opens on production; one without opens on staging, and runbook SSH-002 ends it',
    play: beRevoked,
  },
  {
    title: 'a login waits for approval: not by who asked, but by somebody else, and it goes on',
    play: waitForApproval,
  },
  {
    title: "a lock ends one engineer's session and refuses them, nobody else, until it is lifted",
    play: lockOut,
  },
  { title: 'SQL finds what was done and what was denied', play: findBoth },
  { title: 'SQL finds who asked, who approved, and whom the lock ended and refused', play: findAccess },
  { title: 'the recording plays back', play: playBack },
  { title: 'the whole trail verifies', play: verifyAll },
  { title: 'one byte of one event file is changed, and verification names file and record', play: tamper },
];
