import { chmodSync, cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataDirectory } from '../data-directory.ts';
import { cellText } from '../output.ts';
import { verifyData } from '../verify.ts';
import { expect, query, runSelf, type Stage } from './stage.ts';

export async function findBoth(stage: Stage): Promise<string> {
  const commands = await query(
    stage,
    "SELECT command, error_code FROM events WHERE event_name = 'ExecuteCommand' ORDER BY event_time",
  );
  expect(
    commands.some(
      (row) => cellText(row['command'] ?? null).startsWith('echo hello') && row['error_code'] === null,
    ),
    `the command is not in the lake: ${JSON.stringify(commands)}`,
  );
  expect(
    commands.some((row) => row['command'] === 'reboot --please' && row['error_code'] === 'AccessDenied'),
    `the denial is not in the lake: ${JSON.stringify(commands)}`,
  );
  const revoked = await query(stage, "SELECT end_reason, mfa FROM sessions WHERE end_reason = 'Revoked'");
  expect(
    revoked.length === 1 && revoked[0]?.['mfa'] === false,
    `not exactly one session without a second factor was revoked: ${JSON.stringify(revoked)}`,
  );
  return `${commands.length} commands, of which ${commands.filter((row) => row['error_code'] !== null).length} denied; one session revoked`;
}

export async function playBack(stage: Stage): Promise<string> {
  const [shell] = await query(
    stage,
    "SELECT session_id FROM events WHERE event_name = 'StoreRecording' AND session_id IN (SELECT session_id FROM events WHERE event_name = 'OpenShell' AND target_name = 'playground')",
  );
  expect(shell !== undefined, 'the shell has no recording');
  const played = await runSelf(stage, ['play', cellText(shell?.['session_id'] ?? null), '--speed', '0']);
  expect(
    played.code === 0 && played.stdout.includes('typed 42'),
    `the recording played ${JSON.stringify(played.stdout)}: ${played.stderr}`,
  );
  return `sshtrail play ${cellText(shell?.['session_id'] ?? null)} shows what the terminal showed`;
}

export async function verifyAll(stage: Stage): Promise<string> {
  await stage.up.running.journal.sealNow();
  const verification = await verifyData(stage.data, stage.now);
  expect(verification.ok, `the trail does not verify: ${JSON.stringify(verification.problems)}`);
  return `${verification.streams.map(({ stream, records }) => `${records} records of ${stream}`).join(', ')}; ${verification.recordings.intact} recordings whole`;
}

export async function tamper(stage: Stage): Promise<string> {
  const copy = dataDirectory(join(stage.data.root, '..', 'tampered'));
  cpSync(stage.data.lake, copy.lake, { recursive: true });
  const events = join(copy.lake, 'events');
  const file = readdirSync(events, { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('.ndjson.gz'),
  );
  expect(file !== undefined, 'there is no event file');
  const path = join(events, file ?? '');
  const bytes = readFileSync(path);
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);

  const verified = await runSelf(stage, ['verify', '--data', copy.root]);
  const line = verified.stdout
    .split('\n')
    .find((text) => text.includes(file ?? '') && /record \d+/.test(text));
  expect(
    verified.code === 1 && line !== undefined,
    `verification did not name the file and the record: ${verified.stdout}`,
  );
  return line ?? '';
}
