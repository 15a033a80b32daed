import { type ChildProcess, spawn } from 'node:child_process';
import { expect, test } from 'vitest';
import { journalOnDisk } from '../support/full-disk.ts';
import { startStack } from '../support/stack.ts';

test('when the journal cannot write, running sessions end and say why, and nobody new gets in', async () => {
  const disk = { full: false };
  const stack = await startStack({
    journal: journalOnDisk(disk),
  });
  const child: ChildProcess = spawn(
    'ssh',
    [...stack.sshOptions, '-tt', stack.destination(), 'echo open; sleep 60'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const output: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
  const closed = new Promise((resolve) => child.once('close', resolve));
  await expect.poll(() => output.join(''), { timeout: 10_000 }).toContain('open');

  disk.full = true;
  const refused = await stack.ssh(['echo nobody']);
  await closed;
  const later = await stack.ssh(['echo nobody']);

  expect(output.join('')).toContain('the audit trail cannot be written');
  expect([refused.stdout.toString(), later.stdout.toString()]).toEqual(['', '']);
  expect([refused.code, later.code]).toEqual([255, 255]);
  expect(stack.reports.join('\n')).toContain('the audit trail cannot be written');
  disk.full = false;
  await expect(stack.close()).rejects.toThrow(/journal|written|space/);
});
