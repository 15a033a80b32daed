import { expect, test } from 'vitest';
import { sshtrailProcess } from '../support/command-line.ts';

test('the demo plays every step and leaves nothing behind', { timeout: 120_000 }, async () => {
  const finished = await sshtrailProcess(['demo'], { timeoutMs: 110_000 });

  expect(finished.code, finished.stderr).toBe(0);
  expect(finished.stdout.toString()).toContain('all 10 steps held');
  expect(finished.stdout.toString()).toMatch(/record \d+: .*\(hash-mismatch|broken-segment|not-a-record/);
});
