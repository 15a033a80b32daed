import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import { z } from 'zod';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import type { DataDirectory } from '../data-directory.ts';
import { accessLines, accessLinesOf, accessStatement, areSameLines } from './access-query.ts';
import { expect, finished, query, runSelf, type Stage, seconds, ssh, start, until } from './stage.ts';

/** Somebody whom policy lets in once another has approved it, and somebody who may. */
const contractor = 'carol';
const lead = 'bob';

const reason = 'INC-421 look at the index';
const message = 'call the security desk';

const placedLock = z.object({ lockId: z.string(), createdAtMs: z.number() });

const policy = `
@id("contractors-by-approval")
permit (principal in Group::"contractors", action in Action::"session", resource in HostGroup::"env=sandbox")
when { context.approved };

@id("leads-approve")
permit (principal in Group::"leads", action == Action::"approve", resource);
`;

/** Puts both into a prepared data directory. */
export function addApprovers(data: DataDirectory): void {
  const document = parseDocument(readFileSync(data.configuration, 'utf8'));
  for (const [name, group] of [
    [contractor, 'contractors'],
    [lead, 'leads'],
  ] as const) {
    const key = generatePrivateKey('ed25519');
    writeFileSync(keyOf(data, name), formatPrivateKey(key, name), { mode: 0o600 });
    const identity = { name, groups: [group], keys: [formatPublicKeyLine(key.publicKey)] };
    document.addIn(['identities'], document.createNode(identity));
  }
  writeFileSync(data.configuration, document.toString());
  appendFileSync(data.policy, policy);
}

export async function waitForApproval(stage: Stage): Promise<string> {
  const login = start(stage, ['playground@gateway', 'echo let in'], {
    ...asContractor(stage),
    answer: reason,
  });
  try {
    const requestId = () => /sshtrail approve (r-[0-9a-f]{32})/.exec(login.stderr())?.[1];
    await until(
      () => requestId() !== undefined || login.ended(),
      15_000,
      () => `the login did not say that it waits: ${login.stderr()}`,
    );
    const id = requestId() ?? '';
    const own = await runSelf(stage, ['approve', id, '--as', contractor]);
    expect(
      own.code !== 0 && own.stderr.includes('your own request'),
      `${contractor} could approve what ${contractor} asked for: ${own.stdout} ${own.stderr}`,
    );
    expect(!login.ended(), `the login did not wait: ${login.stderr()}`);

    const approved = await runSelf(stage, ['approve', id, '--as', lead]);
    expect(approved.code === 0, `${lead} could not approve it: ${approved.stderr}`);
    const { code, stdout, stderr } = await finished(login, 'the login that was approved');
    expect(
      code === 0 && stdout === 'let in\n' && stderr.includes(`approved by ${lead} until`),
      `the login did not go on: ${stdout} ${stderr}`,
    );
    return `${id}: ${own.stderr.trim()}; then "sshtrail approve" as ${lead}, and the command ran`;
  } finally {
    await login.stop();
  }
}

export async function lockOut(stage: Stage): Promise<string> {
  const held = ['playground@gateway', 'echo open; exec sleep 600'] as const;
  const locked = start(stage, held, asContractor(stage));
  const other = start(stage, held);
  try {
    await until(
      () => [locked, other].every((session) => session.stdout().includes('open')),
      15_000,
      () => `the sessions did not open: ${locked.stderr()} ${other.stderr()}`,
    );
    const placed = await runSelf(stage, [
      'lock',
      '--identity',
      contractor,
      '--message',
      message,
      '--for',
      '1h',
      '--json',
    ]);
    expect(placed.code === 0, `the lock was not placed: ${placed.stderr}`);
    const { lockId, createdAtMs } = placedLock.parse(JSON.parse(placed.stdout));
    const told = `${message} (lock ${lockId})`;
    await finished(locked, 'the session that was locked');
    expect(locked.stderr().includes(told), `the engineer did not see why: ${locked.stderr()}`);
    const refused = await ssh(stage, ['playground@gateway', 'true'], asContractor(stage));
    expect(
      refused.code === 255 && refused.stderr.includes(told),
      `the lock let in: ${refused.stdout} ${refused.stderr}`,
    );
    expect(!other.ended(), `the session of somebody else ended, too: ${other.stderr()}`);

    const lifted = await runSelf(stage, ['unlock', lockId]);
    expect(lifted.code === 0, `the lock was not lifted: ${lifted.stderr}`);
    const again = await ssh(stage, ['playground@gateway', 'echo back'], asContractor(stage));
    expect(
      again.code === 0 && again.stdout === 'back\n',
      `the lock was lifted, and refuses still: ${again.stderr}`,
    );
    const tookMs = locked.endedAtMs() ?? Number.NaN;
    return `closed ${seconds(createdAtMs, tookMs)} after the lock was made; ${contractor} read: ${told}`;
  } finally {
    await locked.stop();
    await other.stop();
  }
}

export async function findAccess(stage: Stage): Promise<string> {
  const found = accessLines(await query(stage, accessStatement('events')));
  const wanted = accessLinesOf({ asked: contractor, approved: lead, locked: userInfo().username });
  expect(areSameLines(found, wanted), `not just that is in the lake: ${JSON.stringify(found)}`);
  return found.join(', ');
}

function asContractor({ data }: Stage) {
  return { identityFile: keyOf(data, contractor) };
}

function keyOf(data: DataDirectory, name: string): string {
  return join(data.demo, `id_${name}`);
}
