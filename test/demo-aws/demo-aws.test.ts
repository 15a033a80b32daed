import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..', '..');
const moto = join(root, '.cache', 'python', 'bin', 'moto_server');

/** The test command installs moto, or says that it could not and fails where it is required. */
it('plays the AWS form from the certificate to the verified evidence', { timeout: 300_000 }, async () => {
  if (!existsSync(moto)) {
    expect(process.env['REQUIRE_MOTO']).not.toBe('1');
    return;
  }
  const child = spawn(process.execPath, [join(root, 'test', 'demo-aws', 'main.ts')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [out, err, code] = await Promise.all([text(child.stdout), text(child.stderr), ended]);

  expect(code, `${out}\n${err}`).toBe(0);
  expect(out).toMatch(/all 12 steps held/);
});
