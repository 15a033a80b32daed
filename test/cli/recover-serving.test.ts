import { spawn } from 'node:child_process';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { dataDirectory } from '../../cli/data-directory.ts';
import { startUp } from '../../cli/up.ts';
import { sshtrail } from '../support/command-line.ts';
import { journalOnDisk } from '../support/full-disk.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const login = userInfo().username;

test('a full disk ends sessions with the reason, loses nothing acknowledged, and is over when there is room', async () => {
  const data = dataDirectory(join(temporaryFolder(), 'data'));
  const reports: string[] = [];
  const disk = { full: false };
  const up = await startUp({
    data,
    sshPort: 0,
    playground: true,
    now: Date.now,
    report: (line) => reports.push(line),
    journal: journalOnDisk(disk),
  });
  onTestFinished(() => up.close('the test is over').catch(() => undefined));
  const ssh = (command: string) =>
    run('ssh', ['-F', data.sshConfig, `${login}@playground@gateway`, command], { timeoutMs: 60_000 });
  const before = await ssh('echo before');
  const child = spawn('ssh', [
    '-F',
    data.sshConfig,
    '-tt',
    `${login}@playground@gateway`,
    'echo open; sleep 60',
  ]);
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const closed = new Promise((resolve) => child.once('close', resolve));
  await expect.poll(() => output.join(''), { timeout: 20_000 }).toContain('open');

  disk.full = true;
  const refused = await ssh('echo refused');
  await closed;
  disk.full = false;
  await expect.poll(() => reports.join('\n'), { timeout: 60_000 }).toContain('is written again');
  const after = await ssh('echo after');
  await up.close('the test is over');

  expect(before.stdout.toString(), before.stderr).toBe('before\n');
  expect(output.join('')).toContain('the audit trail cannot be written');
  expect(refused.stdout.toString()).toBe('');
  expect(after.stdout.toString(), after.stderr).toBe('after\n');
  const { stdout } = await sshtrail(['verify', '--json', '--data', data.root]);
  expect(JSON.parse(stdout.toString())).toMatchObject({
    ok: true,
    sessions: { started: 3, ended: 3, live: 0 },
  });
  const { stdout: rows } = await sshtrail([
    'query',
    '--json',
    '--data',
    data.root,
    "SELECT end_reason FROM events WHERE event_name = 'EndSession' ORDER BY event_time",
  ]);
  expect(rows.toString()).toContain('ProxyLost');
}, 180_000);
