import { AthenaClient } from '@aws-sdk/client-athena';
import { createAthenaEngine } from '#adapters/aws';
import type { Row } from '#core/contract';
import { derivedTable } from '#core/lake';
import { accessLines, accessLinesOf, accessStatement, areSameLines } from '../../cli/demo/access-query.ts';
import { sshtrailProcess } from '../support/command-line.ts';
import type { Finished } from '../support/run.ts';
import { type Person, people } from './people.ts';
import { expect, until } from './processes.ts';
import { openSession, type SshClient, startSsh, stayOpen } from './ssh-sessions.ts';
import type { Stage } from './stage.ts';

/** Whom policy lets on db-1 once somebody has approved it, and who may. */
const engineer = 'dave';
const lead = 'carol';

const message = 'call the security desk';

export async function waitForApproval(on: Stage): Promise<string> {
  const login = startSsh(on, {
    person: engineer,
    port: on.gateway.port,
    target: 'db-1',
    command: stayOpen,
    answer: 'INC-421 restore the index',
  });
  on.sessions.set(engineer, { ...login, id: '' });
  const id = await until('the login waits', 20_000, () => {
    expect(login.endedAtMs() === undefined, `it ended: ${login.output()}`);
    return /sshtrail approve (r-[0-9a-f]{32})/.exec(login.output())?.[1];
  });
  const own = await asCaller(on, engineer, 'approve', id);
  expect(
    own.code !== 0 && own.stderr.includes('your own request'),
    `${engineer} could approve what ${engineer} asked for: ${own.stdout.toString()} ${own.stderr}`,
  );
  expect(!login.output().includes('open as'), `the login did not wait: ${login.output()}`);

  const approved = await asCaller(on, lead, 'approve', id);
  expect(approved.code === 0, `${lead} could not approve it: ${approved.stderr}`);
  await until('the login goes on', 20_000, () => isOpen(login), login.output);
  expect(
    login.output().includes(`approved by Lead+${lead} until`),
    `${engineer} did not read who approved it: ${login.output()}`,
  );
  return `${id}: ${own.stderr.trim()}; then "sshtrail approve --api" as ${lead}, and the command runs`;
}

export async function lockOut(on: Stage): Promise<string> {
  const session = on.sessions.get(engineer);
  const other = on.sessions.get('alice');
  expect(session !== undefined && other !== undefined, 'the sessions are not open');
  const selector = ['--identity', `Engineer+${engineer}`, '--message', message, '--for', '1h'];
  const placed = await asCaller(on, lead, 'lock', ...selector, '--json');
  expect(placed.code === 0, `the lock was not placed: ${placed.stderr}`);
  const { lockId, createdAtMs } = JSON.parse(placed.stdout.toString()) as {
    lockId: string;
    createdAtMs: number;
  };
  const told = `${message} (lock ${lockId})`;
  const endedAtMs = await until('the locked session ends', 10_000, session.endedAtMs, session.output);
  expect(session.output().includes(told), `${engineer} did not read why: ${session.output()}`);

  const refused = startSsh(on, {
    person: engineer,
    port: on.gateway.port,
    target: 'db-1',
    command: 'true',
  });
  await until('the next login ends', 20_000, refused.endedAtMs, refused.output);
  expect(
    refused.process.exitCode === 255 && refused.output().includes(told),
    `the lock let in: ${refused.output()}`,
  );
  expect(other.endedAtMs() === undefined, `alice's session ended, too: ${other.output()}`);

  const lifted = await asCaller(on, lead, 'unlock', lockId);
  expect(lifted.code === 0, `the lock was not lifted: ${lifted.stderr}`);
  on.sessions.set(engineer, await openSession(on, engineer, on.gateway.port, 'db-1'));
  return `closed ${((endedAtMs - createdAtMs) / 1000).toFixed(1)} s after the lock was made; ${engineer} read: ${told}`;
}

export async function findAccess(on: Stage): Promise<string> {
  const client = new AthenaClient(on.clientOptions);
  const engine = createAthenaEngine({ client, workgroup: 'sshtrail-runbooks', database: 'sshtrail' });
  const wanted = accessLinesOf({
    asked: `Engineer+${engineer}`,
    approved: `Lead+${lead}`,
    locked: `Lead+${lead}`,
  });
  let found: readonly string[] = [];
  try {
    return await until(
      'Athena finds just what happened',
      20_000,
      async () => {
        const window = { fromMs: Date.now() - 3_600_000, toMs: Date.now() };
        const sql = accessStatement(derivedTable('events', { engine: 'athena', window }));
        const rows: Row[] = [];
        for await (const page of (await engine.select(sql, { deadlineMs: 20_000 })).rows) rows.push(...page);
        found = accessLines(rows);
        return areSameLines(found, wanted) ? found.join(', ') : undefined;
      },
      () => JSON.stringify(found),
    );
  } finally {
    await engine.close();
    client.destroy();
  }
}

function isOpen(login: SshClient): true | undefined {
  expect(login.endedAtMs() === undefined, `the login ended: ${login.output()}`);
  return login.output().includes('open as') ? true : undefined;
}

/** The command line in the hands of somebody with these AWS credentials. */
function asCaller(on: Stage, person: Person, ...args: readonly string[]): Promise<Finished> {
  const { accessKeyId, secretAccessKey, sessionToken } = people[person];
  return sshtrailProcess([...args, '--api', on.api.url, '--region', on.clientOptions.region], {
    env: {
      AWS_ACCESS_KEY_ID: accessKeyId,
      AWS_SECRET_ACCESS_KEY: secretAccessKey,
      AWS_SESSION_TOKEN: sessionToken,
      AWS_PROFILE: '',
      AWS_CONFIG_FILE: '/dev/null',
      AWS_SHARED_CREDENTIALS_FILE: '/dev/null',
    },
  });
}
